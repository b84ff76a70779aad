"""What members can do: `base` is what a tool is, `catalog` names them, `toolset` runs them."""
