import Glibc
import Testing

extension EndToEnd {
  /// What an agent that starts makes of what it is told of the past.
  @Suite struct Restart {
    /// The others tell it what they have stated in the order in which they did: that a guest is there before that it went.
    @Test(
      "An agent that starts turns no MAC to a place where it once was",
      .enabled(if: TestRun.path.outlivesAgent, "entries that outlive an agent are those of the kernel"))
    func noTurningBack() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        for (guest, home) in zip(guests, pool.hosts).prefix(2) {
          for host in [pool[3], home] {
            try guest.migrate(to: host, blue)
            try pool.expect(guest.mac, in: blue, on: host, vif: guest.connected())
          }
        }
        let host = pool[1]
        let before = Set(try must(["bridge", "-n", host.namespace.name, "fdb", "show"]).lines.map(place))
        let monitor = try pool.start(["bridge", "monitor", "fdb"], in: host.namespace, name: "monitor")
        try seesEntries(monitor, on: host, blue)
        host.crashAgent()
        try host.start()
        try pool.settle()
        for guest in guests { try pool.expect(guest.mac, in: blue, on: pool[guest.number]) }
        try seesEntries(monitor, on: host, blue)
        let turned = Files.text(monitor.output).lines.filter { line in
          guests.contains { line.contains($0.mac) } && !before.contains(place(line))
        }
        #expect(turned.isEmpty, "\(turned.joined(separator: "\n"))")
      }
    }

    /// Waits until the monitor has told of an entry that is made for this: it hears, and has told all from before.
    private func seesEntries(_ monitor: Child, on host: TestHost, _ network: NetworkView) throws {
      let count = Files.text(monitor.output).lines.count { $0.contains(Self.probe) }
      try eventually("the monitor of entries hears") {
        for action in ["add", "delete"] {
          try must(
            ["bridge", "-n", host.namespace.name, "fdb", action, Self.probe, "dev", host.device(of: network), "self"]
              + ["dst", host.address])
        }
        return Files.text(monitor.output).lines.count { $0.contains(Self.probe) } > count
      }
    }

    private static let probe = "02:00:00:00:00:fe"

    /// MAC, device and remote end of an entry as `bridge` shows it; an entry that is deleted has no place.
    private func place(_ line: Substring) -> String {
      let words = line.split(separator: " ")
      let end = words.firstIndex(of: "dst").map { words[...].index($0, offsetBy: 2) } ?? min(words.count, 3)
      return words[..<min(end, words.count)].joined(separator: " ")
    }
  }
}

extension String {
  fileprivate var lines: [Substring] { split(separator: "\n") }
}
