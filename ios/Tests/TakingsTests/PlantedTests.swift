#if PLANTED
    import Takings
    import Testing

    @Suite struct PlantedTests {
        @Test(arguments: ["here", "call", "engine"])
        func aPanicIsAnErrorAndTheNextCallWorks(place: String) async throws {
            let stall = try await Stall(seed: 31)
            try stall.world.setLine(state: "down")
            _ = try await stall.sell(1000, order: "P-1")
            let before = try stall.chain

            let error = await takingsError { try await plantedPanic(till: stall.till, place: place) }
            guard case .Internal(let code, _)? = error else { throw Unexpected("\(String(describing: error))") }
            #expect(["broken", "panic"].contains(code))
            #expect(await takingsError { try plantedPanicNow() }?.code == "panic")

            #expect(try stall.chain == before)
            #expect(try await stall.sell(2000, order: "P-2").outcome == .saved)
            #expect(try await stall.till.status().unsentCount == 2)
            #expect(try await stall.till.verify().sound)
        }
    }
#endif
