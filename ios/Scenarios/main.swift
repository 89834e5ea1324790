// Plays days at the market through the Swift package; see tests/scenarios/README.md.
//
//     scenarios [DAY.json …]     without names: every day in tests/scenarios/days, in order
//
// Each day's result goes to standard output as one line of canonical JSON; what is wrong, to standard error. Exit code 1 if
// a day is not as it says, 2 if a file is no day.

import Foundation
import Takings

let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("tests/scenarios")

func read(_ file: URL) throws -> JSON {
    try JSON(parsing: String(decoding: try Data(contentsOf: file), as: UTF8.self))
}

func days() throws -> [URL] {
    let named = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
    if !named.isEmpty { return Array(named) }
    return try FileManager.default.contentsOfDirectory(at: here.appendingPathComponent("days"), includingPropertiesForKeys: nil)
        .filter { $0.pathExtension == "json" }
        .sorted { $0.lastPathComponent.utf8.lexicographicallyPrecedes($1.lastPathComponent.utf8) }
}

func result(of file: URL, _ schema: Schema, _ always: JSON) async throws -> JSON {
    let day = try read(file)
    try schema.checkDay(day)
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    var seen = try await Day(day, directory: directory.path).play(always: always)
    seen["day"] = .text(file.deletingPathExtension().lastPathComponent)
    return .object(seen)
}

func say(_ line: String, to handle: FileHandle) {
    handle.write(Data((line + "\n").utf8))
}

let schema = try Schema(try read(here.appendingPathComponent("day.schema.json")))
let always = try read(here.appendingPathComponent("always.json"))
var code: Int32 = 0
for file in try days() {
    do {
        say(try await result(of: file, schema, always).canonical, to: .standardOutput)
    } catch let error as Wrong {
        say("\(file.lastPathComponent): \(error.what)", to: .standardError)
        code = max(code, 1)
    } catch let error as NoDay {
        say("\(file.lastPathComponent): \(error.what)", to: .standardError)
        code = 2
    } catch let error as NotJSON {
        say("\(file.lastPathComponent): no JSON at byte \(error.at)", to: .standardError)
        code = 2
    }
}
exit(code)
