import Wire

/// The packet path in user space: carries the encrypted networks of this host between their TAPs and ESP in UDP
/// (RFC 3948). It holds the TAP queues, the UDP sockets and the threads that move packets between them.
///
/// Called from one thread, which never waits for packets. What it is told takes effect with `publish`, all at once:
/// threads read one immutable snapshot. Sockets and TAPs are those of the network namespace that the calling thread is in.
package final class DataPath {
  package struct Settings: Sendable {
    /// Each has one thread that sends and one that receives.
    package var queues: Int
    /// UDP port here and at the other hosts.
    package var port: UInt16

    /// - Parameter queues: nil for as many as suit the machine: 1 up to 4 cores, else a quarter of the cores, up to 4.
    package init(queues: Int? = nil, port: UInt16 = 7678) {
      self.queues = queues ?? 1
      self.port = port
    }
  }

  package let settings: Settings
  private var networks: [VNI: PathForwarding] = [:]

  /// Starts the threads. Nothing is sent or received before `bind`.
  package init(_ settings: Settings = .init()) throws(DataPathError) { self.settings = settings }

  /// Sends from and receives at this address; called again when the address of the host changes. Takes effect at once.
  package func bind(to local: VTEP) throws(DataPathError) {}

  /// Carries a network. If it is open, changes what differs and keeps its entries.
  package func open(_ network: PathNetwork) throws(DataPathError) {
    networks[network.vni, default: PathForwarding(network: network)].network = network
  }

  /// Carries the network no longer, and forgets its entries.
  package func close(_ vni: VNI) { networks[vni] = nil }

  /// Frames to this address go to this host. Without effect on a network that is not open.
  package func setRemote(_ mac: MACAddress, _ vtep: VTEP, in vni: VNI) { networks[vni]?.remotes[mac] = vtep }

  package func removeRemote(_ mac: MACAddress, in vni: VNI) { networks[vni]?.remotes[mac] = nil }

  /// Broadcast, multicast and frames to unknown addresses go to this host too.
  package func addFlood(_ vtep: VTEP, in vni: VNI) { networks[vni]?.flood.insert(vtep) }

  package func removeFlood(_ vtep: VTEP, in vni: VNI) { networks[vni]?.flood.remove(vtep) }

  /// nil if the network is not open, also because its TAP has vanished (see `problems`).
  package func forwarding(of vni: VNI) -> PathForwarding? { networks[vni] }

  /// Open networks.
  package var openNetworks: [VNI] { networks.keys.sorted() }

  /// What was met since the last call. The networks named have been closed.
  package func problems() -> [PathProblem] { [] }

  /// Accepts packets of this SA from this host.
  /// - Parameter material: 32 bytes of key and 4 of salt (RFC 4106, section 8.1).
  /// - Throws: `.spiTaken` if there is an inbound SA with this SPI.
  package func addInbound(_ spi: SPI, from vtep: VTEP, material: [UInt8]) throws(DataPathError) {}

  /// Makes an SA towards this host, which is not used before `useOutbound`.
  /// - Throws: `.spiTaken` if there is an outbound SA with this SPI to the host.
  package func addOutbound(_ spi: SPI, to vtep: VTEP, material: [UInt8]) throws(DataPathError) {}

  /// What frames to this host are sealed by; nil, or an SA that there is not: nothing goes there.
  package func useOutbound(_ spi: SPI?, to vtep: VTEP) {}

  package func removeInbound(_ spi: SPI) {}

  package func removeOutbound(_ spi: SPI, to vtep: VTEP) {}

  /// All SAs, with all changes, also those that are not published yet.
  package var associations: [PathAssociation] { [] }

  /// Makes all changes since the last call take effect as one.
  package func publish() {}

  package func counters() -> PathCounters { PathCounters() }

  /// Ends the threads and closes the sockets and TAP queues; the TAP devices stay. Nothing can be called after it but
  /// `counters`.
  package func stop() {}
}
