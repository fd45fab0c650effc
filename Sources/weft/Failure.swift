/// Why a command was not done: one sentence that says what to do. The command leaves with status 1.
struct Failure: Error, Equatable {
  let sentence: String

  init(_ sentence: String) { self.sentence = sentence }
}
