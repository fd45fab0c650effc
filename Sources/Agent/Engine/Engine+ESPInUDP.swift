// Where ESP in UDP is taken: by the kernel for a host that encrypts there, by the packet path in user space for one that
// does not.
extension Engine {
  /// At this host's address, whatever it is now; what failed is tried again. Called with each look at the underlay.
  func listenForPackets() {
    guard phase != .stopped else { return }
    kernel.followUserPath()
    tell(
      pathSocketNotice.turn(kernel.userPath?.bindComplaint), kind: "packetPathSocket",
      trouble: "Packets of encrypted networks neither leave nor come.",
      end: "Packets of encrypted networks leave and come again at \(kernel.underlay.address).")
    guard let listener = kernel.espInUDP else { return }
    do {
      try listener.follow(
        kernel.underlay.address, unwatch: { reactor.unwatch($0) },
        watch: { socket in try reactor.watch(socket.descriptor, for: .read) { socket.drain() } })
    } catch {
      log.error("\(error)")
    }
    tell(
      espInUDPNotice.turn(listener.failure), kind: "espInUDP",
      trouble: "Nothing comes from hosts that carry encrypted networks in user space.",
      end: "The kernel takes ESP in UDP at \(kernel.underlay.address) again.")
  }

  func stopListeningForESPInUDP() {
    if let socket = kernel.espInUDP?.socket { reactor.unwatch(socket.descriptor) }
  }

  private func tell(_ turn: FailureNotice.Turn?, kind: String, trouble: String, end: String) {
    switch turn {
    case .began(let failure): tell(Event(kind: kind, message: "\(trouble) \(failure)"))
    case .ended: tell(Event(kind: kind, message: end))
    case nil: break
    }
  }
}
