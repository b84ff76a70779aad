"""The tools Retinue brings along, one subject a file; `tool.catalog` names them all."""
