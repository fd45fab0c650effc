import Glibc
import Namespaces
import Testing

/// Counts the packets of GRE that go to hosts, from between them.
struct Witness {
  private let pool: OverlayPool

  init(_ pool: OverlayPool, at members: [Int]) throws {
    self.pool = pool
    var rules = ""
    for index in members {
      let address = pool.members[index].vtep
      let match = pool.isV6 ? "ip6 daddr \(address) ip6 nexthdr gre" : "ip daddr \(address) ip protocol gre"
      rules += "add rule bridge witness seen \(match) counter comment \"to \(index)\"\n"
    }
    try pool.underlay.run {
      try sh(
        """
        nft -f - <<'END'
        add table bridge witness
        add chain bridge witness seen { type filter hook forward priority 0; }
        \(rules)
        END
        """)
    }
  }

  func packets(to index: Int) throws -> Int {
    let line = try pool.underlay.run { try sh("nft list table bridge witness | grep '\"to \(index)\"'") }
    let words = line.split(separator: " ").map(String.init)
    let place = try #require(words.firstIndex(of: "packets"))
    return try #require(Int(words[place + 1]))
  }
}
