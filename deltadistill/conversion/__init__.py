"""Any network to a delta network: choose blocks, put students beside them, and drop the unused ones again."""
