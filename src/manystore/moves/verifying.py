"""The actions that compare the records of both stores: one issues a certificate, one checks it again."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from manystore.errors import StepRefusedError
from manystore.followers.sync import Track
from manystore.moves.certificate import Certificate, CertificateFolder, changed_ranges
from manystore.moves.comparing import RangeCompared, RangeComparison, RangeVersions
from manystore.moves.conditions import copy_reasons, queue_reasons, valid_certificate
from manystore.moves.cut_over import describe
from manystore.moves.procedures import Begun, Means, Order, Result
from manystore.moves.progress import Report
from manystore.moves.ranges import (
    Cut,
    Outline,
    checkpoint_name,
    cut,
    forget_runs,
    outlined,
    read_outline,
)
from manystore.moves.verify import BY_RECORD, MOST_SAMPLES, Verification, Verifier
from manystore.placement import State, read_state
from manystore.stores.store import KeyRange

SHOWN: Final = 20
"""Records that a result names."""


class Comparison:
    """What both actions share: how a comparison of everything is begun, done range by range, and added up."""

    def __init__(self, means: Means, folder: CertificateFolder) -> None:
        self._means, self._folder = means, folder

    async def _begin(
        self,
        order: Order,
        state: State,
        choose: Callable[[Track], Awaitable[Cut]],
        certificate: Certificate | None = None,
    ) -> Begun:
        """Take the basis and the ranges once for this order, whoever begins it and how often."""
        track, began_at = self._means.track(order.kind, state), self._means.clock.now()
        step = f"moves/{order.kind}/comparisons/"
        # The epoch is in the name: what was compared before a cut-over says nothing after it.
        run = f"{step}{state.epoch}-{order.run}/"
        await forget_runs(track.copy, step, but=run)

        async def make() -> Outline:
            # The basis comes first, so that whatever is read after it is covered by what is checked since it.
            basis = await Verifier(track, clock=self._means.clock).basis()
            ranges, total = await choose(track)
            outline = Outline(ranges=ranges, total=total, basis=basis)
            if certificate is None:
                return outline
            forms = tuple(proof.form for proof in certificate.ranges)
            return msgspec.structs.replace(outline, certificate=certificate.name, forms=forms)

        outline = await outlined(track.copy, run, make)
        return Begun(
            order=order,
            began_at=began_at,
            state=state,
            run=run,
            ranges=len(outline.ranges),
            total=outline.total,
        )

    async def do_range(self, begun: Begun, number: int) -> bytes:
        """Compare one range."""
        track, means = self._means.track_of(begun), self._means
        outline = await means.pace.ask(partial(read_outline, track.copy, begun.run))
        form = RangeVersions if begun.order.depth == "versions" else RangeComparison
        comparison = form(
            track,
            checkpoint_name(begun.run, number),
            outline.ranges[number],
            clock=means.clock,
            pace=means.pace,
            by_record=bool(outline.forms) and outline.forms[number] == BY_RECORD,
        )
        return msgspec.json.encode(await comparison.run())

    async def _sum(self, begun: Begun, results: Sequence[bytes]) -> Verification:
        """One verification out of all ranges, which lie in key order."""
        track = self._means.track_of(begun)
        outline = await read_outline(track.copy, begun.run)
        compared = [msgspec.json.decode(result, type=RangeCompared) for result in results]
        samples = [difference for each in compared for difference in each.differences]
        return Verification(
            depth=begun.order.depth,
            basis=outline.basis,
            compared=sum(each.compared for each in compared),
            seconds=round(self._means.seconds_since(begun.began_at), 3),
            difference_count=sum(each.difference_count for each in compared),
            differences=tuple(samples[:MOST_SAMPLES]),
            ranges=tuple(each.proof for each in compared) if begun.order.depth == "full" else (),
            moving=sum(each.moving for each in compared),
        )


class Verifying(Comparison):
    """Compare both sides as deeply as was asked for; a certificate where every byte was compared."""

    async def begin(self, order: Order) -> Begun:
        """Take the basis, then cut the truth into ranges."""
        placement = self._means.family[order.kind]
        state = await read_state(placement)
        reasons = copy_reasons(state)
        if not reasons and order.depth == "since":
            _, reason = valid_certificate(self._folder, placement, state)
            reasons = [reason] if reason else []
        if reasons:
            raise StepRefusedError(kind=order.kind, step=order.action.value, conditions=reasons)
        if order.depth == "since":
            return Begun(order=order, began_at=self._means.clock.now(), state=state)
        return await self._begin(order, state, lambda track: cut(track.truth, track.kind))

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Add up, and issue the certificate."""
        track, depth = self._means.track_of(begun), begun.order.depth
        found = await (self._since(begun) if depth == "since" else self._sum(begun, results))
        queued = await track.queue.entries()
        result: Result = {
            "depth": depth,
            "compared": found.compared,
            "seconds": found.seconds,
            "differences": found.difference_count,
            "moving": found.moving,
            "samples": [describe(difference) for difference in found.differences[:SHOWN]],
            "queued": len(queued),
            "certificate": None,
        }
        if depth == "full" and found.agrees and not queue_reasons(queued) and begun.state is not None:
            now = self._means.clock.now()
            issued = self._folder.issue(track.placement, begun.state, found, queued=len(queued), now=now)
            result["certificate"] = str(self._folder.folder / issued.name)
        return result

    async def _since(self, begun: Begun) -> Verification:
        track = self._means.track_of(begun)
        state = await read_state(track.placement)
        certificate, reason = valid_certificate(self._folder, track.placement, state)
        if certificate is None:
            action = begun.order.action.value
            raise StepRefusedError(kind=begun.order.kind, step=action, conditions=[reason or ""])
        # What was written behind the engine's back is in no log.
        rogues = [
            rogue.key for store in (track.truth, track.copy) for rogue in await store.rogue_writes(track.kind)
        ]
        return await Verifier(track, clock=self._means.clock).since(certificate.basis, rogues)


class Rechecking(Comparison):
    """Compute the newest certificate's digests anew on both sides."""

    async def begin(self, order: Order) -> Begun:
        """Take the ranges of the certificate."""
        placement = self._means.family[order.kind]
        state = await read_state(placement)
        certificate, reason = valid_certificate(self._folder, placement, state)
        if certificate is None:
            raise StepRefusedError(kind=order.kind, step=order.action.value, conditions=[reason or ""])
        ranges = tuple(KeyRange(proof.after, proof.upto) for proof in certificate.ranges)

        async def choose(track: Track) -> Cut:
            return ranges, await track.truth.count(track.kind)

        return await self._begin(order, state, choose, certificate)

    async def end(self, begun: Begun, results: Sequence[bytes], report: Report) -> Result:
        """Compare with what the certificate says."""
        found = await self._sum(begun, results)
        outline = await read_outline(self._means.track_of(begun).copy, begun.run)
        certificate = self._folder.read(outline.certificate)
        changed = changed_ranges(certificate, found)
        return {
            "certificate": certificate.name,
            "holds": not changed and found.agrees,
            "changedRanges": len(changed),
            "differences": found.difference_count,
            "samples": [describe(difference) for difference in found.differences[:SHOWN]],
        }
