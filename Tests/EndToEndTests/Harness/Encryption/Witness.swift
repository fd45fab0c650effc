import Glibc

/// Sees every byte that crosses the underlay, by tcpdump on its bridge.
final class Witness {
  private let pool: TestPool
  private let tcpdump: Child
  private let path: String
  private let number: Int

  private nonisolated(unsafe) static var count = 0

  /// Returns when it listens.
  init(_ pool: TestPool) throws {
    Self.count += 1
    number = Self.count
    self.pool = pool
    path = pool.path("witness-\(number).pcap")
    // A ring of 64 MiB, so that nothing is lost while the machine is busy.
    let tcpdump = try pool.start(
      ["tcpdump", "-i", "br0", "-n", "-U", "-s", "0", "-B", "65536", "-Z", "root", "-w", path], in: pool.underlay,
      name: "witness")
    self.tcpdump = tcpdump
    try eventually(within: 10, "the witness listens") { Files.text(tcpdump.errors).contains("listening") }
  }

  /// Ends it, and gives what it saw until now: all of it, which a last frame of its own proves.
  /// - Parameter name: of the file among what the run leaves behind, if there is a place for that.
  func stop(keepingAs name: String? = nil) throws -> UnderlayCapture {
    let last = Array("witness \(number) ends here".utf8)
    let sender = try PacketSocket(in: pool[1].namespace, device: "eth0")
    try sender.send(Frame.ethernet(to: Frame.broadcast, from: "02:00:00:00:00:fe", payload: last))
    try eventually(within: 20, "the witness has seen the last frame") { Files.tail(path, 1 << 18).holds(last) }
    tcpdump.signal(SIGINT)
    tcpdump.wait(within: 10)
    let summary = Files.text(tcpdump.errors)
    guard summary.contains("\n0 packets dropped by kernel") else {
      throw Failure("the witness missed packets: \(summary)")
    }
    if let name { try TestRun.keep(path, as: name) }
    let capture = try UnderlayCapture(Files.read(path))
    unlink(path)
    return capture
  }
}

/// Frames that were seen on the underlay.
struct UnderlayCapture {
  /// What a frame of the underlay is.
  enum Kind: Hashable {
    case esp
    /// UDP 7678: ESP as a host in user space sends it, or a kernel to such a host.
    case espInUDP
    /// UDP 7677: sealed gossip.
    case gossip
    /// TCP 7677: join and sync.
    case sync
    /// UDP 7679, the port of encrypted networks, and not inside ESP.
    case bareProtectedVXLAN
    /// UDP 7680, the port of networks in clear.
    case clearVXLAN
    /// GRE with this key, and not inside ESP.
    case bareGRE(UInt32?)
    case ipFragment
    /// ARP, ICMP, neighbour discovery and whatever else.
    case other
  }

  private let file: [UInt8]
  private let frames: [(kind: Kind, bytes: Range<Int>)]

  /// pcap(5), the byte order of the machine, Ethernet.
  init(_ file: [UInt8]) throws {
    var frames: [(kind: Kind, bytes: Range<Int>)] = []
    try file.withUnsafeBytes { file in
      func word(_ offset: Int) -> UInt32 { file.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
      guard file.count >= 24, word(0) == 0xa1b2_c3d4, word(20) == 1 else {
        throw Failure("this is no capture of Ethernet")
      }
      var offset = 24
      while offset + 16 <= file.count {
        let length = Int(word(offset + 8))
        let bytes = (offset + 16)..<(offset + 16 + length)
        guard length == Int(word(offset + 12)), bytes.upperBound <= file.count else {
          throw Failure("the capture is cut off")
        }
        frames.append((Kind(UnsafeRawBufferPointer(rebasing: file[bytes])), bytes))
        offset = bytes.upperBound
      }
    }
    self.file = file
    self.frames = frames
  }

  func count(_ kind: Kind) -> Int { frames.count { $0.kind == kind } }

  /// How many frames are of an encrypted network, or may be, and not inside ESP.
  var bare: Int {
    frames.count { frame in
      switch frame.kind {
      case .bareProtectedVXLAN, .bareGRE, .clearVXLAN, .ipFragment: true
      case .esp, .espInUDP, .gossip, .sync, .other: false
      }
    }
  }

  /// Between which hosts frames of this kind went.
  func pairs(_ kind: Kind, of hosts: [TestHost]) throws -> Set<Pair> {
    var names: [[UInt8]: String] = [:]
    for host in hosts { names[try host.addressBytes()] = host.name }
    var pairs: Set<Pair> = []
    for frame in frames where frame.kind == kind {
      let isV6 = file[frame.bytes.lowerBound + 12] == 0x86
      let (start, size) = isV6 ? (frame.bytes.lowerBound + 22, 16) : (frame.bytes.lowerBound + 26, 4)
      if let from = names[Array(file[start..<start + size])],
        let to = names[Array(file[start + size..<start + 2 * size])]
      {
        pairs.insert(Pair(from: from, to: to))
      }
    }
    return pairs
  }

  struct Pair: Hashable {
    var from: String
    var to: String
  }

  /// The kinds of frames that hold these bytes anywhere.
  func kinds(holding mark: [UInt8]) -> Set<Kind> {
    guard file.holds(mark) else { return [] }
    return Set(frames.filter { Array(file[$0.bytes]).holds(mark) }.map(\.kind))
  }

  /// The first of those frames in hexadecimal, as far as its headers may go.
  func first(holding mark: [UInt8]) -> String? {
    guard file.holds(mark), let frame = frames.first(where: { Array(file[$0.bytes]).holds(mark) }) else { return nil }
    return file[frame.bytes].prefix(160).map { hexByte(Int($0)) }.joined()
  }

  /// How many frames of each kind, for the message of a failed test.
  var summary: String {
    Dictionary(grouping: frames, by: \.kind).map { "\($0.key): \($0.value.count)" }.sorted().joined(separator: ", ")
  }
}

extension UnderlayCapture.Kind {
  init(_ frame: UnsafeRawBufferPointer) {
    self = .other
    guard frame.count >= 34 else { return }
    switch frame.half(12) {
    case 0x0800:
      if frame.half(20) & 0x3fff != 0 {
        self = .ipFragment
      } else {
        self = Self(frame[23], frame, at: 14 + Int(frame[14] & 0xf) * 4)
      }
    case 0x86dd where frame.count >= 54: self = Self(frame[20], frame, at: 54)
    default: break
    }
  }

  /// Extension headers of RFC 8200 are passed over: a frame in clear does not hide behind one.
  private init(_ next: UInt8, _ frame: UnsafeRawBufferPointer, at start: Int) {
    self = .other
    guard start + 8 <= frame.count else { return }
    let ports = [frame.half(start), frame.half(start + 2)]
    switch next {
    case 0, 43, 60: self = Self(frame[start], frame, at: start + 8 + 8 * Int(frame[start + 1]))
    case 44: self = .ipFragment
    case 50: self = .esp
    case 47:
      self = .bareGRE(frame[start] & 0x20 == 0 ? nil : frame.half(start + 4) << 16 | frame.half(start + 6))
    case 17 where ports[1] == 7678: self = .espInUDP
    case 17 where ports[1] == 7679: self = .bareProtectedVXLAN
    case 17 where ports[1] == 7680: self = .clearVXLAN
    case 17 where ports.contains(7677): self = .gossip
    case 6 where ports.contains(7677): self = .sync
    default: break
    }
  }
}

extension UnsafeRawBufferPointer {
  /// 2 bytes in network order.
  fileprivate func half(_ offset: Int) -> UInt32 { UInt32(self[offset]) << 8 | UInt32(self[offset + 1]) }
}
