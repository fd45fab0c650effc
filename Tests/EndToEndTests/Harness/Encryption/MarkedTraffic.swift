import Glibc
import Testing

/// Traffic between guests whose payload a witness knows wherever it is not sealed.
enum MarkedTraffic {
  /// As long as the pattern of ping(8); see also `Tests/Lab/open-esp.py`.
  static let mark = Array("weft-is-unseen!!".utf8)
  /// What no packet of the underlay may hold: the mark, and how the payload of the frames of `floods` begins.
  static let marks = [mark, Array("weft test:".utf8)]

  /// Pings between every two guests, small ones and of full size.
  static func pings(among guests: [Guest], _ network: NetworkView) throws {
    let pattern = mark.map { hexByte(Int($0)) }.joined()
    for from in guests {
      for to in guests where to !== from {
        try from.namespace.execute("ping", "-n", "-q", "-c", "3", "-i", "0.02", "-p", pattern, to.ipv4)
        // 20 bytes of IPv4 and 8 of ICMP; -M do: never in fragments.
        try from.namespace.execute(
          "ping", "-n", "-q", "-c", "2", "-i", "0.02", "-M", "do", "-s", "\(network.mtu - 28)", "-p", pattern, to.ipv4)
      }
    }
  }

  /// A broadcast and a multicast frame of each of `senders` come to every other guest once, and back to none of them.
  static func floods(of senders: Range<Int>, among guests: [Guest]) throws {
    let wires = try guests.map { try $0.wire() }
    for sender in senders {
      for (what, destination) in [("broadcast", Frame.broadcast), ("multicast", "01:00:5e:01:02:03")] {
        let mark = Frame.mark("\(what) of \(sender)")
        try guests[sender].socket().send(Frame.ethernet(to: destination, from: guests[sender].mac, payload: mark))
        for index in guests.indices where index != sender {
          #expect(wires[index].receive(1, marked: mark, within: 3).count == 1, "\(what), \(sender) to \(index)")
        }
        for index in guests.indices {
          #expect(wires[index].receive(marked: mark, within: 0.1).isEmpty, "\(what) twice, \(sender) to \(index)")
        }
      }
    }
  }

  /// 512 KiB by TCP.
  static func stream(from client: Guest, to server: Guest, port: Int = 5001, in pool: TestPool) throws {
    let (sent, received) = (pool.path("sent"), pool.path("received"))
    let bytes = [[UInt8]](repeating: mark, count: 1 << 15).flatMap { $0 }
    try Files.write(bytes, to: sent)
    unlink(received)
    let listener = try pool.start(
      ["socat", "-u", "TCP4-LISTEN:\(port),reuseaddr", "OPEN:\(received),creat,trunc"], in: server.namespace,
      name: "server")
    try eventually("the server listens") { try server.namespace.execute("ss", "-Hltn").contains(":\(port)") }
    try client.namespace.execute("socat", "-u", "OPEN:\(sent)", "TCP4:\(server.ipv4):\(port)")
    #expect(listener.wait(within: 20) == 0)
    #expect(Files.read(received) == bytes, "512 KiB by TCP, guest \(client.number) to \(server.number)")
  }
}

extension TestPool {
  /// Keeps beside the capture NAME.pcap what `Tests/Lab/open-esp.py` needs to open its packets: the keys that the kernels
  /// of these hosts hold now, and the encrypted networks between the hosts, the one that the capture is of first.
  func keepKeys(of hosts: some Sequence<TestHost>, _ networks: [NetworkView], as name: String) throws {
    let list = networks.map { "\($0.encap) \($0.vni)\n" }.joined()
    try keep(list, as: "\(name).networks")
    for host in hosts { try keep(try host.namespace.ip("xfrm", "state"), as: "\(name).\(host.name).xfrm") }
  }

  private func keep(_ text: String, as name: String) throws {
    try Files.write(text.utf8, to: path(name))
    try TestRun.keep(path(name), as: name)
  }
}
