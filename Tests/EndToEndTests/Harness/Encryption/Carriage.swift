import Testing

/// How a network's frames cross the underlay.
struct Carriage: CustomTestStringConvertible, Sendable {
  enum Encapsulation: String, Sendable, CaseIterable { case vxlan, gre }

  var encapsulation: Encapsulation
  var isV6: Bool

  var testDescription: String { "\(encapsulation.rawValue)-\(isV6 ? "ipv6" : "ipv4")" }

  static let all: [Carriage] = Encapsulation.allCases.flatMap { encapsulation in
    [false, true].map { Carriage(encapsulation: encapsulation, isV6: $0) }
  }
}
