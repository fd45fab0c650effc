/// What somebody does by hand to the kernel of a host, behind the back of its agent.
struct Tampering: Sendable {
  var name: String
  var apply: @Sendable (_ host: TestHost, _ other: TestHost) throws -> Void

  /// After each of these a network with encryption is closed or works, and nothing of it is in clear.
  static let closed: [Tampering] = [
    Tampering(name: "outbound SAs deleted") {
      try $0.namespace.ip("xfrm", "state", "deleteall", "src", $0.address, "dst", $1.address)
    },
    Tampering(name: "inbound SAs deleted") {
      try $0.namespace.ip("xfrm", "state", "deleteall", "src", $1.address, "dst", $0.address)
    },
    Tampering(name: "another key under every SPI") { host, other in
      for (source, destination) in [(host, other), (other, host)] {
        for spi in try host.spis(from: source, to: destination) {
          let name = ["src", source.address, "dst", destination.address, "proto", "esp", "spi", spi]
          try must(["ip", "-n", host.namespace.name, "xfrm", "state", "delete"] + name)
          try must(
            ["ip", "-n", host.namespace.name, "xfrm", "state", "add"] + name
              + ["mode", "transport", "replay-window", "32"]
              + ["aead", "rfc4106(gcm(aes))", "0x" + String(repeating: "5a", count: 36), "128"])
        }
      }
    },
    Tampering(name: "policies that seal deleted") { host, _ in
      try host.namespace.ip("xfrm", "policy", "deleteall", "dir", "out", "priority", "22341")
    },
    Tampering(name: "policies that let in deleted") { host, _ in
      try host.namespace.ip("xfrm", "policy", "deleteall", "dir", "in", "priority", "22341")
    },
    Tampering(name: "all policies deleted, the filter alone") { host, _ in
      try host.namespace.ip("xfrm", "policy", "flush")
    },
    Tampering(name: "all policies and SAs deleted, the filter alone") { host, _ in
      try host.namespace.ip("xfrm", "policy", "flush")
      try host.namespace.ip("xfrm", "state", "flush")
    },
    Tampering(name: "the filter deleted and every SA, the policies alone") { host, _ in
      try host.namespace.execute("nft", "delete", "table", "inet", "weft_lock")
      try host.namespace.ip("xfrm", "state", "flush")
    },
    Tampering(name: "the filter deleted and the policies that seal, the blocks alone") { host, _ in
      try host.namespace.execute("nft", "delete", "table", "inet", "weft_lock")
      try host.namespace.ip("xfrm", "policy", "deleteall", "priority", "22341")
    },
  ]

  /// Both locks and every SA: nothing is left that could close.
  static let open = Tampering(name: "both locks deleted") { host, _ in
    try host.namespace.ip("xfrm", "policy", "flush")
    try host.namespace.ip("xfrm", "state", "flush")
    try host.namespace.execute("nft", "delete", "table", "inet", "weft_lock")
  }
}

extension TestHost {
  /// The SPIs of the SAs that this host has between two underlay addresses.
  func spis(from source: TestHost, to destination: TestHost) throws -> [String] {
    try namespace.ip("xfrm", "state", "list", "src", source.address, "dst", destination.address)
      .split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "spi"), index + 1 < words.count else { return nil }
        return String(words[index + 1])
      }
  }
}
