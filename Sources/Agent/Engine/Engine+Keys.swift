import Control
import Membership
import Registry
import Trust
import Wire

// New keys for this host or for all of the pool.
extension Engine {
  package func rekey(_ request: API.Rekey) async throws -> API.RekeyResult {
    let node = try member()
    guard let epoch = node.rekeyed(Reactor.now()) else {
      throw APIError(
        .unsupported,
        "This host has no keys of the data path. \(kernel.keysObstacle)")
    }
    var result = API.RekeyResult(host: name.text, epoch: epoch)
    guard request.hostOnly != true else { return result }
    var targets: [(host: HostID, name: String, endpoint: Endpoint)] = []
    for member in node.membership.members where member.state != .dead && member.state != .left {
      let name = node.name(of: member.host)
      if let endpoint = node.endpoint(of: member.host) {
        targets.append((member.host, name, endpoint))
      } else {
        result.notReached.append(API.Problem(host: name, message: "It has not told where it answers."))
      }
    }
    let (credentials, local) = (credentials.current, endpoint.address)
    await withTaskGroup(of: (String, String?).self) { group in
      for target in targets {
        group.addTask {
          let why = await Self.askForRekey(target.host, at: target.endpoint, from: local, credentials)
          return (target.name, why)
        }
      }
      for await (name, why) in group {
        if let why {
          result.notReached.append(API.Problem(host: name, message: why))
        } else {
          result.asked.append(name)
        }
      }
    }
    result.asked.sort()
    result.notReached.sort { $0.host < $1.host }
    return result
  }

  private static let rekeyTimeout: Duration = .seconds(5)

  /// - Returns: why it does not; nil if it does.
  private static func askForRekey(
    _ host: HostID, at endpoint: Endpoint, from local: IPAddress, _ credentials: TLSCredentials
  ) async -> String? {
    do {
      let response = try await PeerClient.call(
        endpoint, from: local, credentials: credentials, expecting: .host(host),
        request: try PeerMessage.rekey.encoded(), timeout: rekeyTimeout)
      let answer = try PeerMessage.decode(response)
      if case .rekeyed = answer { return nil }
      return answer.sentence
    } catch {
      return "\(error)"
    }
  }
}
