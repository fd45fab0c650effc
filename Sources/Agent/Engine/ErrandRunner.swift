import Logging
import Registry
import ServiceLifecycle
import Trust
import Wire

/// Does what the engine wants done and must not wait for: calls to other hosts.
struct ErrandRunner: Service {
  let engine: Engine
  let errands: AsyncStream<Errand>

  private static let syncTimeout: Duration = .seconds(10)
  private static let probeTimeout: Duration = .milliseconds(1200)

  func run() async throws {
    await withDiscardingTaskGroup { group in
      for await errand in errands.cancelOnGracefulShutdown() {
        switch errand {
        case .sync(let host, let endpoint): group.addTask { await sync(with: host, at: endpoint) }
        case .probe(let host, let endpoint, let sequence):
          group.addTask { await probe(host, at: endpoint, sequence: sequence) }
        case .fetchCA(let endpoints): group.addTask { await fetchCA(endpoints) }
        case .exempt(let request): group.addTask { await exempt(request) }
        case .close(let descriptors): group.addTask { await close(descriptors) }
        case .tryKernel: group.addTask { await tryKernel() }
        }
      }
      group.cancelAll()
    }
  }

  private func sync(with host: HostID, at endpoint: Endpoint) async {
    var request = await engine.syncRequest(to: host)
    // A sync is at most a few exchanges; the bound is against a host that never has enough.
    for _ in 0..<8 {
      guard let bytes = request else { return }
      do {
        let answer = try await call(.sync(bytes), host: host, at: endpoint, timeout: Self.syncTimeout)
        guard case .syncAnswer(let response) = answer else {
          return await engine.syncFailed(host, answer.sentence, isRefusal: true)
        }
        request = await engine.syncAnswered(response, by: host)
      } catch {
        let isRefusal =
          switch error {
          case PeerClientError.refused, PeerClientError.untrusted: true
          default: false
          }
        return await engine.syncFailed(host, "\(error)", isRefusal: isRefusal)
      }
    }
    await engine.syncFailed(host, "It had more to tell than one sync takes.", isRefusal: false)
  }

  private func probe(_ host: HostID, at endpoint: Endpoint, sequence: UInt32) async {
    let outcome = await TCPProbe.probe(
      endpoint, host: host, from: engine.endpoint.address, credentials: engine.credentials.current,
      timeout: Self.probeTimeout)
    await engine.probed(host, sequence: sequence, outcome)
  }

  private func fetchCA(_ endpoints: [Endpoint]) async {
    for endpoint in endpoints {
      guard let wanted = await engine.wantedAuthority() else { return }
      do {
        let answer = try await call(
          .fetchAuthority(certificateHash: wanted.bytes), host: nil, at: endpoint, timeout: Self.syncTimeout)
        if case .authority(let authority) = answer, await engine.take(authority) { return }
      } catch {
        continue
      }
    }
  }

  private func call(
    _ message: PeerMessage, host: HostID?, at endpoint: Endpoint, timeout: Duration
  ) async throws -> PeerMessage {
    let response = try await PeerClient.call(
      endpoint, from: engine.endpoint.address, credentials: engine.credentials.current,
      expecting: host.map { .host($0) } ?? .anyMember, request: message.encoded(), timeout: timeout)
    return try PeerMessage.decode(response)
  }
}

extension PeerMessage {
  /// What to tell of an answer that was not the one asked for.
  var sentence: String {
    if case .refused(let refusal) = self {
      refusal.sentence
    } else {
      "The other host gave an answer that does not fit."
    }
  }
}
