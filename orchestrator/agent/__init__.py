"""One member at work: `work` takes a brief and gives a result.

`loop` is the heart; `calls` runs tools so that a crash repeats nothing, `dialogue` asks the model,
`spending` counts what that costs, `compress` keeps a long conversation inside the model's window,
`seat` is what a member works with.
"""
