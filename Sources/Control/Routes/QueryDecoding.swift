import Hummingbird

/// The part of a request's address behind the `?`: each name once, only names that the route knows.
struct QueryDecoding {
  private var values: [String: String] = [:]

  init(_ request: Request, allowed: [String]) throws(APIError) {
    for pair in (request.uri.query ?? "").split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentEncoding.decode(parts[0]),
        let value = PercentEncoding.decode(parts.dropFirst().first ?? "")
      else {
        throw APIError(.badRequest, "The query of the address is not valid: write special characters as %XX, in UTF-8.")
      }
      guard allowed.contains(name) else {
        let known = allowed.isEmpty ? "takes none" : "takes \(RequestDecoding.list(allowed))"
        throw APIError(.badRequest, "The query '\(name.prefix(40))' is not known here: this request \(known).")
      }
      guard values.updateValue(value, forKey: name) == nil else {
        throw APIError(.badRequest, "The query '\(name)' is given twice: give it once.")
      }
    }
  }

  func text(_ name: String) -> String? { values[name] }

  func number(_ name: String) throws(APIError) -> UInt64? {
    guard let text = values[name] else { return nil }
    guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt64(text) else {
      throw APIError(.badRequest, "The query '\(name)' must be a whole number from 0 on.")
    }
    return number
  }

  /// 1 or true, 0 or false; false if it is not given.
  func flag(_ name: String) throws(APIError) -> Bool {
    switch values[name] {
    case nil, "0", "false": return false
    case "1", "true": return true
    default: throw APIError(.badRequest, "The query '\(name)' must be 1 or 0.")
    }
  }
}
