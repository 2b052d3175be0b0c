"""Reading files that came from elsewhere: bounded before anything is allocated, no code run, plain errors.

Whatever a file holds, it is read as well-formed or refused with a ValueError that names it.
"""
