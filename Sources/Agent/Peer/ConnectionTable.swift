import NIOCore
import Synchronization
import Wire

/// The open connections, counted in all, by address, and by the block that one caller may have all addresses of; says when there are enough, and closes all at the end.
final class ConnectionTable: Sendable {
  private struct Contents {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var byAddress: [IPAddress: Int] = [:]
    var byBlock: [AddressBlock: Int] = [:]
    var isClosed = false
  }

  private let limits: PeerLimits
  private let contents = Mutex(Contents())

  init(limits: PeerLimits) { self.limits = limits }

  /// Takes a connection in until it closes.
  ///
  /// - Returns: nil, or why it may not stay.
  func enter(_ channel: any Channel, from address: IPAddress) -> String? {
    let refusal = contents.withLock { contents -> String? in
      guard !contents.isClosed else { return "the agent is stopping." }
      guard contents.channels.count < limits.connections else {
        return "\(contents.channels.count) connections are open already."
      }
      let fromThere = contents.byAddress[address, default: 0]
      guard fromThere < limits.connectionsPerAddress else {
        return "\(fromThere) connections are open from that address already."
      }
      let block = AddressBlock(address)
      let fromBlock = contents.byBlock[block, default: 0]
      guard fromBlock < limits.connectionsPerBlock else {
        return "\(fromBlock) connections are open from the /64 of that address already."
      }
      contents.channels[ObjectIdentifier(channel)] = channel
      contents.byAddress[address] = fromThere + 1
      contents.byBlock[block] = fromBlock + 1
      return nil
    }
    if refusal == nil {
      let key = ObjectIdentifier(channel)
      channel.closeFuture.whenComplete { _ in self.leave(key, address) }
    }
    return refusal
  }

  private func leave(_ key: ObjectIdentifier, _ address: IPAddress) {
    contents.withLock { contents in
      contents.channels[key] = nil
      let left = contents.byAddress[address, default: 1] - 1
      contents.byAddress[address] = left == 0 ? nil : left
      let block = AddressBlock(address)
      let leftInBlock = contents.byBlock[block, default: 1] - 1
      contents.byBlock[block] = leftInBlock == 0 ? nil : leftInBlock
    }
  }

  /// Closes every connection and takes no more.
  func closeAll() async {
    let channels = contents.withLock { contents in
      contents.isClosed = true
      return Array(contents.channels.values)
    }
    for channel in channels { channel.close(promise: nil) }
    for channel in channels { try? await channel.closeFuture.get() }
  }
}
