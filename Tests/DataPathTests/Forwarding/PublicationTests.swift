import Glibc
import Namespaces
import Synchronization
import Testing

@testable import DataPath

@Suite struct PublicationTests {
  /// A snapshot with `count` places for networks, by which it is told from others.
  private static func owner(_ count: Int) -> SnapshotOwner {
    let vacancy = Vacancy(queues: 1, threads: 1)
    return SnapshotOwner(
      NetworkPart([NetworkRecord](repeating: vacancy.record, count: count), holding: [vacancy]),
      InboundPart([], associations: []), PeerPart([], associations: [], counters: []), Descriptors(none: 1))
  }

  @Test func aSnapshotStandsAsLongAsAReaderMayHaveIt() {
    let readers = [Publication.Reader(), Publication.Reader()]
    weak var first: SnapshotOwner?
    let publication: Publication
    do {
      let owner = Self.owner(1)
      first = owner
      publication = Publication(owner, readers: readers)
    }
    let seen = publication.enter(readers[0])
    publication.publish(Self.owner(2))
    #expect(first != nil && publication.retiredCount == 1)
    #expect(seen.pointee.networks.count == 1)

    // The other reader came later, and has the second one.
    #expect(publication.enter(readers[1]).pointee.networks.count == 2)
    publication.leave(readers[0])
    publication.reclaim()
    #expect(first == nil && publication.retiredCount == 0)
  }

  @Test func aReaderThatEntersAgainHasLeftWhatItHad() {
    let reader = Publication.Reader()
    let publication = Publication(Self.owner(1), readers: [reader])
    _ = publication.enter(reader)
    publication.publish(Self.owner(2))
    #expect(publication.retiredCount == 1)
    #expect(publication.enter(reader).pointee.networks.count == 2)
    publication.reclaim()
    #expect(publication.retiredCount == 0)
  }

  @Test func aReaderKnowsWhetherItHasTheLatest() {
    let reader = Publication.Reader()
    let publication = Publication(Self.owner(1), readers: [reader])
    _ = publication.enter(reader)
    #expect(publication.isLatest(reader))
    publication.publish(Self.owner(2))
    #expect(!publication.isLatest(reader))
    _ = publication.enter(reader)
    #expect(publication.isLatest(reader))
  }

  /// The memory of a snapshot is written over as soon as it is freed, so a reader that has it too long finds that its
  /// records do not agree.
  @Test func readersNeverSeeASnapshotThatIsGone() throws {
    let readers = (0..<3).map { _ in Publication.Reader() }
    let publication = Publication(Stamped.owner(0), readers: readers)
    let shared = Shared(publication)
    let threads = try readers.map { reader in
      try PathThread("reader") {
        while !shared.hasEnded.load(ordering: .relaxed) {
          let snapshot = shared.publication.enter(reader)
          for _ in 0..<50 where !Stamped.isWhole(snapshot.pointee) { shared.faults.add(1, ordering: .relaxed) }
          shared.reads.add(1, ordering: .relaxed)
          if Bool.random() { shared.publication.leave(reader) }
        }
        shared.publication.leave(reader)
      }
    }
    var most = 0
    for number in 1...20_000 {
      publication.publish(Stamped.owner(number))
      most = max(most, publication.retiredCount)
    }
    #expect(eventually { shared.reads.load(ordering: .relaxed) >= 1000 })
    shared.hasEnded.store(true, ordering: .relaxed)
    for thread in threads { thread.join() }
    publication.reclaim()
    #expect(shared.faults.load(ordering: .relaxed) == 0)
    #expect(publication.retiredCount == 0)
    #expect(most < 20_000)
  }

  private final class Shared: Sendable {
    nonisolated(unsafe) let publication: Publication
    let hasEnded = Atomic(false)
    let faults = Atomic(0)
    let reads = Atomic(0)

    init(_ publication: Publication) { self.publication = publication }
  }

  /// Snapshots with inbound SAs whose numbers are made of each other.
  private enum Stamped {
    static func owner(_ number: Int) -> SnapshotOwner {
      let records = (1...8).map { place in
        InboundRecord(
          spi: UInt32(place), peer: 0, queue: number, sourceHigh: UInt64(number), sourceLow: ~UInt64(number),
          association: nil)
      }
      return SnapshotOwner(
        NetworkPart([], holding: []), InboundPart(records, associations: []),
        PeerPart([], associations: [], counters: []), Descriptors(none: 1))
    }

    static func isWhole(_ snapshot: Snapshot) -> Bool {
      guard let first = snapshot.inbound.find(1)?.pointee.sourceHigh else { return false }
      for spi in UInt32(1)...8 {
        guard let record = snapshot.inbound.find(spi)?.pointee, record.sourceHigh == first, record.sourceLow == ~first
        else { return false }
      }
      return true
    }
  }
}
