// A host that encrypts in the kernel takes ESP in UDP from those that do so in user space.
extension Engine {
  /// At this host's address, whatever it is now; what failed is tried again. Called with each look at the underlay.
  func listenForESPInUDP() {
    guard let listener = kernel.espInUDP, phase != .stopped else { return }
    do {
      try listener.follow(
        kernel.underlay.address, unwatch: { reactor.unwatch($0) },
        watch: { socket in try reactor.watch(socket.descriptor, for: .read) { socket.drain() } })
    } catch {
      log.error("\(error)")
    }
  }

  func stopListeningForESPInUDP() {
    if let socket = kernel.espInUDP?.socket { reactor.unwatch(socket.descriptor) }
  }
}
