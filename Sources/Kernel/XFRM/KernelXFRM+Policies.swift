import CNetlink
import Glibc
import Wire

extension KernelXFRM {
  /// Every policy of ours that is exactly as this release makes it. One that was changed by hand is not listed, so a
  /// comparison with what is wanted shows it as missing, and `replace` puts it right.
  package func policies() throws(KernelError) -> [XFRMPolicy] { try standing().compactMap(\.policy) }

  /// Makes or replaces policies in their order, many to one system call, each without a moment between old and new.
  ///
  /// - Returns: those that failed, with their place in `policies`. The others are done. EEXIST: a policy of somebody
  ///   else has the same selector and was left as it is.
  package func replace(_ policies: [XFRMPolicy]) -> [(index: Int, error: KernelError)] {
    change(policies, "set") { $0.message() }
  }

  /// Removes policies of ours; one that does not stand is fine. The traffic of a removed policy is clear at once unless
  /// a block stands below it.
  ///
  /// - Returns: those that failed, with their place in `policies`.
  package func remove(_ policies: [XFRMPolicy]) -> [(index: Int, error: KernelError)] {
    change(policies, "remove") { $0.request(Int(XFRM_MSG_DELPOLICY)) }.filter { !$0.error.meansGone }
  }

  /// Removes policies that are marked as ours and are nothing that this release makes: left by another release, or
  /// changed by hand. Call it after `replace` of all that is wanted, which has put right what can be.
  ///
  /// - Returns: how many there were.
  @discardableResult
  package func removeStrangePolicies() throws(KernelError) -> Int {
    let strange = try standing().filter { $0.isOurs && $0.policy == nil }
    for item in strange {
      do {
        try socket.perform(
          NetlinkMessage(type: Int(XFRM_MSG_DELPOLICY), flags: 0, item.id), "remove", "a policy of another form")
      } catch {
        if !error.meansGone { throw error }
      }
    }
    return strange.count
  }

  private func standing() throws(KernelError) -> [XFRMPolicy.Standing] {
    try socket.dump(NetlinkMessage(type: Int(XFRM_MSG_GETPOLICY), flags: NLM_F_DUMP), "the policies") { type, payload in
      type == Int(XFRM_MSG_NEWPOLICY) ? XFRMPolicy.read(payload) : nil
    }
  }

  private func change(
    _ policies: [XFRMPolicy], _ operation: String, _ message: (XFRMPolicy) -> NetlinkMessage
  ) -> [(index: Int, error: KernelError)] {
    var errors: [(index: Int, error: KernelError)] = []
    var start = 0
    while start < policies.count {
      let end = min(start + NetlinkSocket.batchLimit, policies.count)
      var places: [Int] = []
      for index in start..<end {
        if let error = obstacle(to: operation, policies[index]) {
          errors.append((index, error))
        } else {
          places.append(index)
        }
      }
      socket.beginBatch()
      for index in places { socket.append(message(policies[index])) }
      for failure in socket.finishBatch() {
        let index = places[failure.index]
        errors.append(
          (
            index,
            .refused(
              operation: operation, object: policies[index].description, code: failure.code, message: failure.message,
              part: .ipsec)
          ))
      }
      start = end
    }
    return errors.sorted { $0.index < $1.index }
  }

  /// The kernel replaces and removes by selector alone, whosever policy it is, so it is looked at first.
  private func obstacle(to operation: String, _ policy: XFRMPolicy) -> KernelError? {
    do throws(KernelError) {
      let found = try socket.dump(policy.request(Int(XFRM_MSG_GETPOLICY)), policy.description) { type, payload in
        type == Int(XFRM_MSG_NEWPOLICY) ? XFRMPolicy.read(payload) : nil
      }
      guard found.contains(where: { !$0.isOurs }) else { return nil }
      return .refused(
        operation: operation,
        object: "\(policy), since one that is not Weft's has the same selector", code: EEXIST, message: nil,
        part: .ipsec)
    } catch {
      return error.meansGone ? nil : error
    }
  }
}
