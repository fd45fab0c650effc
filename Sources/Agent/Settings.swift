import Logging
import Registry
import Wire

/// What `weftd` was told by its flags and `WEFT_*` variables, checked before anything on the system is touched.
package struct Settings: Sendable {
  /// Which packet path carries encrypted networks.
  package enum DataPlane: String, Sendable, CaseIterable {
    case auto, kernel, user
  }

  /// Two threads each: with more of them than processors, they only wait for each other.
  static let possibleQueues = 1...16

  package var stateDirectory: String
  package var socket: String
  /// The host's name in the pool, as people see it.
  package var name: String
  /// An address of this host or the name of an interface: where the tunnels end.
  package var underlay: String
  /// UDP for gossip, TCP for join and sync.
  package var port: UInt16
  package var dataPlane: DataPlane
  /// How many queues the packet path in user space has; nil for as many as suit the machine.
  package var queues: Int?
  package var logLevel: Logger.Level

  package init(
    stateDirectory: String, socket: String, name: String, underlay: String, port: UInt16, dataPlane: DataPlane,
    queues: Int? = nil, logLevel: Logger.Level
  ) throws(SettingsError) {
    guard stateDirectory.hasPrefix("/") else { throw .relativePath(flag: "--state-dir", stateDirectory) }
    guard socket.hasPrefix("/") else { throw .relativePath(flag: "--socket", socket) }
    guard !underlay.isEmpty else { throw .noUnderlay }
    // Whatever else the underlay may be can come to this host later, and is waited for.
    guard !underlay.contains("%") else { throw .scopedUnderlay(underlay) }
    if let address = IPAddress(underlay), !address.isUnicast || address.isLinkLocal {
      throw .unusableUnderlay(underlay)
    }
    guard (try? HostName(name)) != nil else { throw .name(name) }
    guard port != 0 else { throw .port }
    if let queues, !Self.possibleQueues.contains(queues) { throw .queues }
    self.stateDirectory = stateDirectory
    self.socket = socket
    self.name = name
    self.underlay = underlay
    self.port = port
    self.dataPlane = dataPlane
    self.queues = queues
    self.logLevel = logLevel
  }
}

/// A flag or variable that cannot be used.
package enum SettingsError: Error, CustomStringConvertible {
  case relativePath(flag: String, String)
  case noUnderlay
  case scopedUnderlay(String)
  case unusableUnderlay(String)
  case name(String)
  case port
  case queues

  package var description: String {
    switch self {
    case .relativePath(let flag, let path): "\(flag) needs an absolute path, not '\(path)'."
    case .noUnderlay:
      "Say where this host's tunnels end: pass --underlay with an address or an interface of this host, or set WEFT_UNDERLAY."
    case .scopedUnderlay(let text):
      "'\(text.prefix(80))' has a scope, and the ends of tunnels have none: pass --underlay with an address that the other hosts can reach, or the interface alone."
    case .unusableUnderlay(let text):
      "\(text) cannot be the end of tunnels: pass --underlay with an address that the other hosts can reach."
    case .name(let name):
      "'\(name.prefix(80))' cannot be a host name here: use 1 to 63 letters, digits, '.', '-' or '_' with --name."
    case .port: "Port 0 cannot be used: pass --port with a number from 1 to 65535, the same on every host."
    case .queues: "Pass --queues with a number from 1 to 16, or leave it out for as many as suit this machine."
    }
  }
}
