import DataPath
import Glibc
import Testing

@Suite struct PieceTests {
  @Test func aPieceIsLaidOutAsAnIovec() {
    #expect(MemoryLayout<Piece>.size == MemoryLayout<iovec>.size)
    #expect(MemoryLayout<Piece>.stride == MemoryLayout<iovec>.stride)
    #expect(MemoryLayout<Piece>.alignment == MemoryLayout<iovec>.alignment)
    #expect(MemoryLayout<Piece>.offset(of: \.base) == MemoryLayout<iovec>.offset(of: \.iov_base))
    #expect(MemoryLayout<Piece>.offset(of: \.count) == MemoryLayout<iovec>.offset(of: \.iov_len))
    withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) { bytes in
      guard let base = bytes.baseAddress else { return }
      var piece = Piece(base: base, count: 8)
      withUnsafePointer(to: &piece) { pointer in
        pointer.withMemoryRebound(to: iovec.self, capacity: 1) {
          #expect($0.pointee.iov_base == base && $0.pointee.iov_len == 8)
        }
      }
    }
  }
}
