import Kernel

extension [KernelEvent] {
  /// What somebody did. What a kernel tells by itself, some of it a second late, is left out: carriers and what follows
  /// from them, addresses of IPv6, what a bridge learned as a guest looked for routers.
  func changes(since before: [Link]) -> [KernelEvent] {
    filter { event in
      switch event {
      case .address, .addressGone: return false
      case .entry(let entry), .entryGone(let entry): return entry.state != .dynamic
      case .linkGone, .overrun: return true
      case .link(var link):
        guard let old = before.first(where: { $0.index == link.index }) else { return true }
        (link.hasCarrier, link.transmitDrops) = (old.hasCarrier, old.transmitDrops)
        return link != old
      }
    }
  }
}
