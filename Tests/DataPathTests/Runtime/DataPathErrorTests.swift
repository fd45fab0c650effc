import DataPath
import Glibc
import Testing

@Suite struct DataPathErrorTests {
  @Test func theSentenceNamesWhatWasRefusedAndWhy() {
    let error = DataPathError.refused(operation: "open", object: "/dev/net/tun", code: ENOENT)
    #expect("\(error)" == "The packet path could not open /dev/net/tun: No such file or directory.")
  }
}
