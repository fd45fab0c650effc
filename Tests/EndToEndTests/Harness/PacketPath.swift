/// What carries the frames of encrypted networks on a host.
enum PacketPath: String, Sendable, CaseIterable {
  /// The kernel's tunnels. Scenarios that are not about encryption have networks in clear there, as not every kernel has
  /// ESP.
  case kernel
  /// The agent itself, always encrypted.
  case user

  /// Frames go on while the agent is down.
  var outlivesAgent: Bool { self == .kernel }
}
