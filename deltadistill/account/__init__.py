"""The account: MACs, and the time that frames take."""
