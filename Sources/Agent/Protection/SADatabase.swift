import Associations
import Trust
import Wire

/// Where the SAs of this host stand and are used (the SAD of RFC 4301 section 4.4.2): the kernel, or the packet path in
/// user space. It belongs to the engine's thread and outlives a node.
protocol SADatabase: AnyObject {
  /// Why the last SA could not be set up.
  var lastRefusal: String? { get }

  /// What stands from before, between this address and others; what is of another address, or was made for another
  /// owner in this run, goes. Nothing else is opened or closed by it.
  func adopt(local: VTEP, owner: SAOwner) throws -> [AdoptedAssociation]

  /// Adds an inbound SA and lets its frames in.
  ///
  /// - Parameters:
  ///   - key: 32 bytes of key and 4 of salt.
  ///   - inUDP: the packets come in UDP, as the other host carries its networks in user space.
  func install(_ association: Association, key: [UInt8], inUDP: Bool) -> InstallOutcome

  /// Adds an outbound SA and turns all frames for its host to it.
  func switchOutbound(to association: Association, key: [UInt8], inUDP: Bool) -> InstallOutcome

  /// No frame goes by the SA any more.
  func close(_ association: Association)

  /// Closes and takes away; another SA of the same ends stays in use.
  func remove(_ association: Association)

  func look() throws -> SASighting

  /// Takes away SAs of ours that nobody knows, and sets right what is not as it should be.
  ///
  /// - Parameters:
  ///   - known: all SAs that should stand.
  ///   - isInUse: whether an outbound one of them is what frames should go by.
  func repair(_ sighting: SASighting, known: [Association], isInUse: (Association) -> Bool)
}

/// As whom this host has SAs: keys of one pool, or of one identity, are never used as another's.
struct SAOwner: Hashable {
  var pool: PoolID
  var host: HostID
}

/// How an SA is known where it stands (RFC 4301 section 4.1).
struct SAName: Hashable {
  var destination: VTEP
  var spi: UInt32

  init(destination: VTEP, spi: UInt32) {
    self.destination = destination
    self.spi = spi
  }

  init(_ association: Association) { self.init(destination: association.destination, spi: association.spi.value) }
}

/// The SAs that were found at one look.
struct SASighting {
  struct Found {
    var source: VTEP
    /// It is as it was made.
    var isSound: Bool
    var packets: UInt64 = 0
    /// Inbound: dropped since they had come before, or were too old to tell.
    var replayed: UInt64 = 0
    /// Inbound: dropped since their ICV was wrong.
    var integrityFailures: UInt64 = 0
  }

  var found: [SAName: Found] = [:]

  func stands(_ association: Association) -> Bool { found[SAName(association)]?.isSound ?? false }

  /// What it has done so far; nil if there is no such SA.
  func use(of association: Association) -> Found? { found[SAName(association)] }
}
