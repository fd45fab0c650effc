import Kernel
import NIOPosix
import Registry
import Wire

// What a start left to be tried later, as the packet path in user space does not need it.
extension Engine {
  /// Once frames go again.
  func tryKernelSoon() {
    guard kernel.kernelAbilities == nil else { return }
    reactor.schedule(at: Reactor.now() + .seconds(2)) { [weak self] in self?.assumeIsolated { $0.send(.tryKernel) } }
  }

  /// What of the kernel is of interest: whether it could encrypt, too, if only TAPs of an earlier run spoke against it.
  var trialScope: KernelAbilities.Scope { kernel.choice.goesOn ? .usable : .clear }

  func kernelTried(_ abilities: KernelAbilities) {
    kernel.take(abilities)
    node?.abilitiesChanged(Reactor.now())
  }
}

extension ErrandRunner {
  func tryKernel() async {
    let scope = await engine.trialScope
    let abilities = try? await NIOThreadPool.singleton.runIfActive { KernelAbilities.probe(scope) }
    if let abilities { await engine.kernelTried(abilities) }
  }
}

extension Node {
  /// It is known now by which ways this host carries networks.
  func abilitiesChanged(_ now: Instant) {
    perform(registry.setHostRecord(hostRecord, now: now), now: now)
    for network in registry.networks { staleNetworks.insert(network.id) }
    endTurn(now)
  }
}
