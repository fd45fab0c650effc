/// A body that a route takes: what is not among its fields is refused by name.
package protocol StrictRequest: Codable, Sendable {
  static var fields: [String] { get }
}

extension API {
  /// The body of a route that takes none.
  package struct Nothing: StrictRequest, Equatable {
    package init() {}

    package static let fields: [String] = []
  }
}

/// A word out of a fixed list; another word is refused with the list.
package protocol Choice: RawRepresentable, CaseIterable, Codable where RawValue == String {}

extension Choice {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let word = try container.decode(String.self)
    guard let value = Self(rawValue: word) else {
      throw UnknownChoice(path: decoder.codingPath.map(\.stringValue), allowed: Self.allCases.map(\.rawValue))
    }
    self = value
  }
}

/// A word that is not in the list of a `Choice`.
struct UnknownChoice: Error {
  let path: [String]
  let allowed: [String]
}
