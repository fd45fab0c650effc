/// Calls a mutating method of a variable inside an expectation.
func on<Value, Result>(_ value: inout Value, _ body: (inout Value) -> Result) -> Result { body(&value) }
