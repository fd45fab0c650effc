/// Something that takes bytes from outside. `run` must come back for every input; what it finds wrong it ends the process
/// with, by `require`.
protocol FuzzTarget {
  /// Inputs that go deep, for the fuzzer to change.
  func seeds() throws -> [[UInt8]]
  func run(_ bytes: [UInt8])
}

/// Ends the process if `condition` does not hold, so that the fuzzer keeps the input.
func require(_ condition: @autoclosure () throws -> Bool, _ sentence: String) {
  do {
    guard try condition() else { fatalError(sentence) }
  } catch {
    fatalError("\(sentence): \(error)")
  }
}

/// The value of something that cannot fail here.
func required<Value>(_ sentence: String, _ body: () throws -> Value) -> Value {
  do { return try body() } catch { fatalError("\(sentence): \(error)") }
}
