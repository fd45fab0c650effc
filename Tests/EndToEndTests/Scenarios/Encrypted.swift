import Testing

extension EndToEnd {
  /// Networks with encryption required, carried by `TestRun.path`: a kernel that has ESP, or user space.
  @Suite(
    .serialized,
    .enabled(
      if: TestRun.path == .user || KernelESP.obstacle == nil, Comment(rawValue: KernelESP.obstacle ?? "")))
  struct Encrypted {}
}

/// What the guests of an encrypted network do in a scenario, and what the witness may see of it.
extension UnderlayCapture {
  /// Fails the test if anything of an encrypted network is to be seen.
  func expectSealed(_ marks: [[UInt8]], atLeast packets: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) {
    for mark in marks {
      #expect(
        kinds(holding: mark).isEmpty,
        "'\(String(decoding: mark, as: UTF8.self))' was seen in clear: \(first(holding: mark) ?? "")",
        sourceLocation: sourceLocation)
    }
    #expect(bare == 0, "tunnel packets outside ESP: \(summary)", sourceLocation: sourceLocation)
    #expect(
      count(.esp) + count(.espInUDP) >= packets, "too few ESP packets: \(summary)", sourceLocation: sourceLocation)
  }
}

/// How far the agents are with their keys.
struct KeysView: Decodable, Equatable {
  struct Counts: Decodable, Equatable {
    var epoch: UInt64
    var established: Int
    var pending: Int
    var waiting: Int
    var none: Int
  }
  var keys: Counts?
}

extension TestPool {
  /// Why IPsec dropped packets, by host.
  func ipsecDrops() -> String {
    hosts.map { "\($0.name): \((try? $0.namespace.ipsecDrops()) ?? "not known")" }.joined(separator: "; ")
  }

  /// The number of each running host's newest keys.
  func epochs() throws -> [UInt64] {
    try hosts.filter(\.isMeantToRun).map { host in
      guard let keys = try host.keys() else { throw Failure("\(host.name) has no keys") }
      return keys.epoch
    }
  }

  /// Waits until every running host has the newest keys with every other one, in both directions.
  func expectKeys(within seconds: Double = 10) throws {
    let running = hosts.filter(\.isMeantToRun)
    for host in running {
      try eventually(within: seconds, "\(host.name) has keys with every other host") {
        try host.keys()?.established == running.count - 1
      }
    }
  }
}

extension TestHost {
  func keys() throws -> KeysView.Counts? {
    try JSON.decode(KeysView.self, from: weft("pool", "status", "--json")).keys
  }
}
