/// Stands at places that no network has, so that a late event at such a place finds nothing to read.
final class Vacancy {
  let record: NetworkRecord
  private let held: (MACTable, FloodList, Descriptors, CounterBlock<NetworkCounter>, FailureWord)

  init(queues: Int, threads: Int) {
    let counters = CounterBlock<NetworkCounter>(threads: threads)
    held = (MACTable(), FloodList([]), Descriptors(none: queues), counters, FailureWord())
    record = NetworkRecord(
      vni: nil, kind: .vxlan, mtu: 0, table: held.0.reader, flood: held.1.peers, floodCount: 0, tap: held.2.each,
      counters: counters.rows, failure: held.4.word)
  }
}
