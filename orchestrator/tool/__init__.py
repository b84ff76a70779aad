"""What members can do: `base` says what a tool is, `catalog` which there are, `toolset` runs them.
"""
