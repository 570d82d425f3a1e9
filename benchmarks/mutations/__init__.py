"""Damaged inputs by the ten thousand, see `__main__`.

family    what a family of inputs is
given     families of what people bring
models    of what models are read from
ours      of what this package writes and reads again
families  all of them, by name
damage    good files, damaged
children  the processes that read them
"""
