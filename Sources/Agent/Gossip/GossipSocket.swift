import CLinux
import Glibc
import Wire

/// The UDP socket of the gossip port, bound to the underlay address, which may become another one: batches of datagrams in
/// and out, never waiting.
///
/// Gossip repairs every loss, so nothing here queues: what the kernel does not take now is dropped and counted.
/// Not `Sendable`: it belongs to the thread of the reactor that watches `fileDescriptor`.
package final class GossipSocket {
  package struct Counters: Equatable, Sendable {
    package var received: UInt64 = 0
    /// Longer than `GossipPacket.maximumSize`, so not ours.
    package var oversize: UInt64 = 0
    package var sent: UInt64 = 0
    /// Not sent because the socket's buffer was full.
    package var congested: UInt64 = 0
    /// Not sent because the kernel has no way to that address, or was told that nobody listens there.
    package var unreachable: UInt64 = 0
    /// Not sent because the address is of the other family, or the datagram is empty or longer than `maximumSize`.
    package var unsendable: UInt64 = 0
  }

  package private(set) var fileDescriptor: Int32
  /// With the port that the kernel chose if it was asked for port 0.
  package private(set) var local: Endpoint
  package private(set) var counters = Counters()

  private let incoming: UnsafeMutableBufferPointer<UInt8>
  private let outgoing: UnsafeMutableBufferPointer<UInt8>
  private let datagrams: UnsafeMutableBufferPointer<weft_datagram>

  private static let batch = Int(WEFT_BATCH)
  /// One byte more than any datagram of ours, so that a longer one shows.
  private static let slot = GossipPacket.maximumSize + 1
  private static let bufferSize: Int32 = 8 << 20

  package init(binding endpoint: Endpoint) throws(GossipSocketError) {
    (fileDescriptor, local) = try Self.open(endpoint)
    incoming = .allocate(capacity: Self.batch * Self.slot)
    outgoing = .allocate(capacity: Self.batch * GossipPacket.maximumSize)
    datagrams = .allocate(capacity: Self.batch)
    datagrams.initialize(repeating: weft_datagram())
  }

  deinit {
    close(fileDescriptor)
    incoming.deallocate()
    outgoing.deallocate()
    datagrams.deallocate()
  }

  /// Is bound to another endpoint from now on; what waits at the old one is lost. If that cannot be had, all stays.
  ///
  /// - Parameter leaving: is called before the old descriptor is closed; the new one has another number.
  package func move(to endpoint: Endpoint, leaving: (_ fileDescriptor: Int32) -> Void) throws(GossipSocketError) {
    let (opened, bound) = try Self.open(endpoint)
    leaving(fileDescriptor)
    close(fileDescriptor)
    (fileDescriptor, local) = (opened, bound)
  }

  private static func open(_ endpoint: Endpoint) throws(GossipSocketError) -> (fileDescriptor: Int32, local: Endpoint) {
    let isV6 = endpoint.address.isV6
    let fd = socket(
      isV6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard fd >= 0 else { throw .system(SystemCallError("socket")) }
    configure(fd, isV6: isV6)
    let address = endpoint.address.bytes
    let bound = weft_bind_inet(fd, address, UInt8(address.count), endpoint.port)
    guard bound == 0 else {
      close(fd)
      throw GossipSocketError(binding: endpoint, code: -bound)
    }
    return (fd, Endpoint(address: endpoint.address, port: UInt16(truncatingIfNeeded: weft_local_port(fd))))
  }

  /// Large buffers, beyond the system's limit where we may: a burst of a whole pool waits in them. No path MTU
  /// discovery: a datagram of ours is small, and a router that cannot carry it may cut it. On IPv4 forged ICMP is
  /// ignored with it (OMIT); on IPv6 only the sender can fragment, so what the path told is used (DONT).
  private static func configure(_ fd: Int32, isV6: Bool) {
    func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
      var value = value
      return setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }
    if !set(SOL_SOCKET, SO_RCVBUFFORCE, bufferSize) { _ = set(SOL_SOCKET, SO_RCVBUF, bufferSize) }
    if !set(SOL_SOCKET, SO_SNDBUFFORCE, bufferSize) { _ = set(SOL_SOCKET, SO_SNDBUF, bufferSize) }
    if isV6 {
      _ = set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
      _ = set(Int32(IPPROTO_IPV6), IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT)
    } else {
      _ = set(Int32(IPPROTO_IP), IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
    }
  }
}

// MARK: - In and out

extension GossipSocket {
  /// Takes datagrams that have come, at most `max` of them (the rest is still there in the next round), and gives each
  /// to `body` with its sender. Returns how many were taken from the kernel, dropped ones included.
  @discardableResult
  package func receive(max: Int = 256, _ body: ([UInt8], Endpoint) -> Void) -> Int {
    var taken = 0
    while taken < max {
      let wanted = min(Self.batch, max - taken)
      let count = Int(
        weft_receive_batch(
          fileDescriptor, incoming.baseAddress, UInt32(Self.slot), datagrams.baseAddress, UInt32(wanted)))
      if count < 0 {
        // EAGAIN is the end. Anything else is a report about a datagram that we sent: it is cleared by being read.
        if count == -Int(EAGAIN) { break }
        taken += 1
        continue
      }
      taken += count
      // `body` may send, which uses the descriptions again: take them first.
      let batch = (0..<count).compactMap { index in accept(datagrams[index]) }
      for (bytes, source) in batch { body(bytes, source) }
      if count < wanted { break }
    }
    return taken
  }

  private func accept(_ datagram: weft_datagram) -> ([UInt8], Endpoint)? {
    guard datagram.truncated == 0, Int(datagram.length) <= GossipPacket.maximumSize else {
      counters.oversize += 1
      return nil
    }
    let octets = withUnsafeBytes(of: datagram.address) { Array($0.prefix(Int(datagram.address_length))) }
    guard let address = IPAddress(bytes: octets) else { return nil }
    counters.received += 1
    let start = Int(datagram.offset)
    return (
      Array(incoming[start..<start + Int(datagram.length)]), Endpoint(address: address, port: datagram.port)
    )
  }

  /// Sends each datagram to its receiver, as many in one system call as the kernel takes. One that cannot be sent is
  /// counted and holds up no other.
  package func send(_ packets: [(bytes: [UInt8], to: Endpoint)]) {
    var count = 0
    for packet in packets {
      guard (1...GossipPacket.maximumSize).contains(packet.bytes.count),
        packet.to.address.isV6 == local.address.isV6, packet.to.port != 0
      else {
        counters.unsendable += 1
        continue
      }
      place(packet.bytes, packet.to, at: count)
      count += 1
      if count == Self.batch {
        flush(count)
        count = 0
      }
    }
    if count > 0 { flush(count) }
  }

  private func place(_ bytes: [UInt8], _ target: Endpoint, at index: Int) {
    let offset = index * GossipPacket.maximumSize
    _ = UnsafeMutableBufferPointer(rebasing: outgoing[offset...]).update(fromContentsOf: bytes)
    var datagram = weft_datagram()
    datagram.offset = UInt32(offset)
    datagram.length = UInt32(bytes.count)
    datagram.port = target.port
    let address = target.address.bytes
    datagram.address_length = UInt8(address.count)
    withUnsafeMutableBytes(of: &datagram.address) { $0.copyBytes(from: address) }
    datagrams[index] = datagram
  }

  private func flush(_ count: Int) {
    var next = 0
    while next < count {
      let sent = weft_send_batch(
        fileDescriptor, outgoing.baseAddress, datagrams.baseAddress.map { $0 + next }, UInt32(count - next))
      if sent > 0 {
        counters.sent += UInt64(sent)
        next += Int(sent)
        continue
      }
      switch -sent {
      case EINTR: continue
      case EAGAIN, ENOBUFS, ENOMEM:
        counters.congested += UInt64(count - next)
        return
      default:
        counters.unreachable += 1
        next += 1
      }
    }
  }
}

/// Why the gossip port cannot be had.
package enum GossipSocketError: Error, Equatable, CustomStringConvertible {
  case portTaken(Endpoint)
  case addressNotHere(IPAddress)
  case linkLocal(IPAddress)
  case notPermitted(Endpoint)
  case system(SystemCallError)

  init(binding endpoint: Endpoint, code: Int32) {
    switch code {
    case EADDRINUSE: self = .portTaken(endpoint)
    case EADDRNOTAVAIL: self = .addressNotHere(endpoint.address)
    case EINVAL where endpoint.address.isLinkLocal: self = .linkLocal(endpoint.address)
    case EACCES, EPERM: self = .notPermitted(endpoint)
    default: self = .system(SystemCallError("bind to \(endpoint)", code: code))
    }
  }

  package var description: String {
    switch self {
    case .portTaken(let endpoint):
      "UDP port \(endpoint.port) on \(endpoint.address) is used by another program (`ss -ulpn` shows which): stop it,"
        + " or give every host of the pool another port with --port."
    case .addressNotHere(let address):
      "\(address) is not an address of this host: pass --underlay with one that `ip address` shows here, or with the"
        + " name of the interface that has it."
    case .linkLocal(let address):
      "\(address) is a link-local address, which other hosts cannot be told: pass --underlay with a routable one."
    case .notPermitted(let endpoint):
      "This user may not use UDP port \(endpoint.port): run weftd as root, or choose a port above 1023 with --port."
    case .system(let error):
      "The gossip port cannot be opened: \(error) Free the resource that it names, then start weftd again."
    }
  }
}
