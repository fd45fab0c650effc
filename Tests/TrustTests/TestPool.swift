import Wire

@testable import Trust

/// A pool of hosts as the tests need it: one CA, hosts with certificates of it.
struct TestPool {
  var ca: PoolCA
  var trust: PoolTrust
  let hosts: [HostIdentity]

  init(name: String = "east", hosts count: Int = 3) throws {
    ca = try PoolCA(poolName: name, pool: .random())
    trust = try PoolTrust(rootCertificate: ca.certificate)
    hosts = (0..<count).map { _ in HostIdentity() }
  }

  var members: [HostID] { hosts.map(\.hostID) }

  func certificate(_ index: Int) throws -> [UInt8] { try ca.issue(for: hosts[index].publicKey) }
}

/// Random changes of bytes: one to three of flip, cut, insert, double.
func mutated(_ bytes: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
  var result = bytes
  for _ in 0..<Int.random(in: 1...3, using: &generator) {
    guard !result.isEmpty else { return [UInt8.random(in: 0...255, using: &generator)] }
    let index = Int.random(in: 0..<result.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: result[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
    case 1: result[index] = UInt8.random(in: 0...255, using: &generator)
    case 2: result.removeSubrange(index...)
    case 3: result.insert(UInt8.random(in: 0...255, using: &generator), at: index)
    default: result.append(contentsOf: result[index...].prefix(40))
    }
  }
  return result
}

/// What `body` throws; nil if it does not.
func failure(_ body: () throws -> Void) -> (any Error)? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}
