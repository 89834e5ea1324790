// Pages of 50 through the Swift package, for tests/bench/languages.sh: the ledger's directory as argument; lines `first N` or
// `deep N` come in, nanoseconds go out.

import Foundation
import Takings

let world = try DemoWorld(seed: 17, startMs: 1_795_226_400_000)
let till = try await world.openTill(dir: CommandLine.arguments[1], language: .en)
var deep: String?
for _ in 0..<100 { deep = try await till.payments(query: PaymentQuery(after: deep, limit: 50)).next }
while let line = readLine() {
    let words = line.split(separator: " ")
    var times: [String] = []
    for _ in 0..<(Int(words[1]) ?? 0) {
        let query = PaymentQuery(after: words[0] == "deep" ? deep : nil, limit: 50)
        let start = DispatchTime.now().uptimeNanoseconds
        let page = try await till.payments(query: query)
        times.append(String(DispatchTime.now().uptimeNanoseconds - start))
        precondition(page.payments.count == 50)
    }
    FileHandle.standardOutput.write(Data((times.joined(separator: " ") + "\n").utf8))
}
try await till.shutdown()
