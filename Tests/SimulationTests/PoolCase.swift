import Testing

/// A size of pool and a seed.
struct PoolCase: CustomTestStringConvertible {
  let hosts: Int
  let seed: UInt64

  /// Every size with that many seeds; sizes over 10 hosts, which take long, with one.
  static func of(_ sizes: [Int], seeds: UInt64) -> [PoolCase] {
    sizes.flatMap { hosts in (1...(hosts > 10 ? 1 : seeds)).map { PoolCase(hosts: hosts, seed: $0) } }
  }

  var testDescription: String { "\(hosts) hosts, seed \(seed)" }
}
