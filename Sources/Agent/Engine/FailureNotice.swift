/// Something that fails and works again: told of once when it begins and once when it is over.
struct FailureNotice {
  enum Turn: Equatable {
    case began(String)
    case ended
  }

  private var isFailing = false

  /// - Parameter failure: why it fails now; nil if it works.
  /// - Returns: what there is to tell.
  mutating func turn(_ failure: String?) -> Turn? {
    defer { isFailing = failure != nil }
    switch (failure, isFailing) {
    case (let failure?, false): return .began(failure)
    case (nil, true): return .ended
    default: return nil
    }
  }
}
