"""Teams at work: `runs` takes a request to its result, `supervisor` decides who does what.

`routing` finds the member without a model call, `workflow` runs the steps a person has written,
`files` carries results between members, `ledger` knows every run, `limits` ends those that go on.
"""
