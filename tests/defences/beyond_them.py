"""Defences of the threats beyond the eighteen."""

from __future__ import annotations

from typing import Final

from defences.removal import Removal

BEYOND: Final[tuple[Removal, ...]] = (
    Removal(
        threat="a root, a name or an agreement is replaced",
        file="protocol/saphan_protocol/roster.py",
        was='            require_threshold(have, agency.threshold, "present")',
        becomes="            pass",
        test="tests/attacks/test_root_replaced_without_the_old_threshold.py"
        "::test_one_holder_of_three_replaces_the_root",
        notices="assert None == 'operation_threshold'",
    ),
    Removal(
        threat="a root, a name or an agreement is replaced",
        file="protocol/saphan_protocol/roster.py",
        was='            require_threshold(have, record.threshold, "new")',
        becomes="            pass",
        test="tests/attacks/test_root_replaced_without_the_old_threshold.py"
        "::test_one_holder_of_three_replaces_the_root",
        notices="assert None == 'operation_threshold'",
    ),
    Removal(
        threat="a root, a name or an agreement is replaced",
        file="protocol/saphan_protocol/operation.py",
        was="    return len(seen)",
        becomes="    return sum(one.item.key in keys for one in signatures)",
        test="tests/attacks/test_root_replaced_without_the_old_threshold.py"
        "::test_one_holder_of_three_replaces_the_root",
        notices="assert None == 'operation_threshold'",
    ),
    Removal(
        threat="a root, a name or an agreement is replaced",
        file="clients/saphan/cli/partners.py",
        was="    if sorted(parse_words(words) for words in given) != roots:",
        becomes="    if False and sorted(parse_words(words) for words in given) != roots:",
        test="tests/attacks/test_one_partys_pins_swapped.py::test_his_words_are_compared_aloud",
        notices="DID NOT RAISE",
    ),
    Removal(
        threat="a revocation or a suspension is hidden",
        file="protocol/saphan_protocol/roster.py",
        was="        self._bound.update((record.agency, key) for key in news)",
        becomes="        pass",
        test="tests/attacks/test_broker_hides_the_newest_revocation.py"
        "::test_he_hides_it_altogether_and_it_comes_by_hand",
        notices=" not in {b",
    ),
    Removal(
        threat="a revocation or a suspension is hidden",
        file="clients/saphan/node/trust/releasing.py",
        was='        return "agreement_stopped" if _stopped_by_hand(logs.directory, header, agency)'
        " else None",
        becomes="        return None",
        test="tests/attacks/test_suspended_partner_goes_on.py"
        "::test_it_sends_while_the_order_is_kept_from_the_log",
        notices="await eventually(lambda: kh.db.rows(query, (made.bulletin_id,)) == held)",
    ),
    Removal(
        threat="a schema means something else, or explodes",
        file="protocol/saphan_protocol/registrations.py",
        was="    if digest_of(bundle) != registered.digest:",
        becomes="    if False and digest_of(bundle) != registered.digest:",
        test="tests/attacks/test_hostile_schema.py"
        "::test_a_broker_that_gives_another_bundle_is_found_out",
        notices='await eventually(lambda: alarmed(kh, "schema_bundle_differs"))',
    ),
    Removal(
        threat="an officer reads or sends more than they may, or has left",
        file="clients/saphan/node/policy/rules.py",
        was="        return officer is not None and within(header.marking.tlp, officer.clearance)",
        becomes="        return officer is not None",
        test="tests/attacks/test_officer_above_clearance.py::test_at_the_local_api",
        notices='assert [row["id"] for row in page["bulletins"]] == [open_to_them]',
    ),
    Removal(
        threat="an officer reads or sends more than they may, or has left",
        file="clients/saphan/node/officers/clearance.py",
        was="        if not self.shows(bulletin):",
        becomes="        if False and not self.shows(bulletin):",
        test="tests/attacks/test_officer_above_clearance.py::test_at_the_local_api",
        notices="assert 200 == 'bulletin_unknown'",
    ),
    Removal(
        threat="an officer reads or sends more than they may, or has left",
        file="clients/saphan/node/outbox.py",
        was="                if len(one.signatures) == 1 and self._needs_two(one.draft.header):",
        becomes="                if False and self._needs_two(one.draft.header):",
        test="tests/attacks/test_one_officer_signs_for_two.py"
        "::test_through_every_door_of_the_local_api",
        notices="== 'countersign_needed'",
    ),
    Removal(
        threat="an officer reads or sends more than they may, or has left",
        file="clients/saphan/node/api/views.py",
        was="    if isinstance(caller, Officer) and (handle, key) != (caller.handle, caller.key):",
        becomes="    if False and isinstance(caller, Officer):",
        test="tests/attacks/test_one_officer_signs_for_two.py"
        "::test_through_every_door_of_the_local_api",
        notices="assert 200 == 'token_scope'",
    ),
    Removal(
        threat="an officer reads or sends more than they may, or has left",
        file="protocol/saphan_protocol/roster.py",
        was="(self.revoked is None or self.revoked >= at)",
        becomes="True",
        test="tests/attacks/test_former_officer.py::test_they_read_with_what_they_have_kept",
        notices="assert 200 == 'key_revoked'",
    ),
    Removal(
        threat="an officer's page is asked from elsewhere, or its memory searched",
        file="clients/saphan/web/gate.py",
        was='    if request.headers.getall("Host", []) != [place.host]:',
        # The stream of events never ends: to ask for it would be to wait.
        becomes='    if request.path == "/events" and request.headers["Host"] != place.host:',
        test="tests/attacks/test_page_asked_from_elsewhere.py",
        notices="assert (200, '<!doct",
    ),
    Removal(
        threat="an officer's page is asked from elsewhere, or its memory searched",
        file="clients/saphan/web/gate.py",
        was='        return origin == own and site in (None, "same-origin")',
        becomes="        return True",
        test="tests/attacks/test_page_asked_from_elsewhere.py",
        notices="assert (303, 'lo') == (403, 'en')",
    ),
    Removal(
        threat="an officer's page is asked from elsewhere, or its memory searched",
        file="clients/saphan/web/gate.py",
        was="        if not request[LET_IN]:",
        becomes='        if not request[LET_IN] and request.path == "/events":',
        test="tests/attacks/test_page_asked_from_elsewhere.py",
        notices="assert (303, False) == (401, False)",
    ),
    Removal(
        threat="an officer's page is asked from elsewhere, or its memory searched",
        file="clients/saphan/web/locking/handover.py",
        # The locked page, in the same process: what was open is only forgotten.
        was="        os.execv(argv[0], [*argv, OPTION,"
        ' f"{listening.fileno()},{reading}"])  # noqa: S606',
        becomes="        from saphan.cli.main import main\n"
        '        main([*argv[4:], OPTION, f"{listening.fileno()},{reading}"])',
        test="tests/attacks/test_page_memory_after_lock.py::test_no_key_is_left_in_memory",
        notices=">           assert found_in(page, secrets) == set()",
    ),
    Removal(
        threat="evidence is edited, shortened, or made to be read in two ways",
        file="protocol/saphan_protocol/bundle/logged.py",
        was="    verify_inclusion(item.shown.index, size, leaf_hash(leaf), item.path, root)",
        becomes="    return",
        test="tests/attacks/test_bundle_edited_at_every_field.py::test_every_field_of_every_item",
        notices=">       assert through == []",
    ),
    Removal(
        threat="evidence is edited, shortened, or made to be read in two ways",
        file="protocol/saphan_protocol/bundle/unproven.py",
        was='    yield Remark("nothing_else")\n',
        becomes="",
        test="tests/attacks/test_exporter_leaves_something_out.py::test_a_recall_is_left_out",
        notices="assert 'nothing_else' in ",
    ),
    Removal(
        threat="evidence is edited, shortened, or made to be read in two ways",
        file="protocol/saphan_protocol/bundle/opened.py",
        was="            if added.index is None or added.index <= last:",
        becomes="            if False:",
        test="tests/attacks/test_hostile_bundle.py",
        notices="AssertionError: nothing was found",
    ),
    Removal(
        threat="evidence is edited, shortened, or made to be read in two ways",
        file="protocol/saphan_protocol/bundle/verify.py",
        was="        if found.setdefault((batch.key, batch.size, batch.root), batch) is not batch:",
        becomes="        found.setdefault((batch.key, batch.size, batch.root), batch)\n"
        "        if False:",
        test="tests/attacks/test_hostile_bundle.py",
        notices="AssertionError: nothing was found",
    ),
    Removal(
        threat="evidence is edited, shortened, or made to be read in two ways",
        file="protocol/saphan_protocol/bundle/judging.py",
        was="            check_sizes(blob, (), None)\n"
        "            check_attachments(shown.attachments)\n",
        becomes="",
        test="tests/attacks/test_hostile_bundle.py",
        notices="AssertionError: nothing was found",
    ),
    Removal(
        threat="what is held is let go",
        file="clients/saphan/node/holding/orders.py",
        was="                if terms is not None and (hold in ended or hold not in logged):",
        becomes="                if hold in ended or hold not in logged:",
        test="tests/attacks/test_thief_lets_go_of_what_is_held.py"
        "::test_with_the_order_key_it_is_seen_and_the_node_goes_on_holding",
        notices=">           await eventually(lambda: kh.holds.orders.foreign() == [stolen.name])",
    ),
    Removal(
        threat="what was taken back is read on",
        file="clients/saphan/node/storing.py",
        was="            Keeping.seal(tx, one.bulletin, SEALED)",
        becomes="            pass",
        test="tests/attacks/test_officer_reads_what_was_taken_back.py::test_at_the_local_api",
        notices="assert 200 == 'bulletin_recalled'",
    ),
    Removal(
        threat="two processes sequence at once",
        file="broker/saphan_broker/store/redis/writer.py",
        was='        if word == "fenced":\n            raise Fenced(log, head.size, found)',
        becomes="        if False:\n            raise Fenced(log, head.size, found)",
        test="tests/faults/test_processes_fenced.py"
        "::test_a_holder_that_is_fenced_between_commit_and_signature",
        notices=">       assert result.retry_after_ms > 0, result",
    ),
    Removal(
        threat="two processes sequence at once",
        file="broker/saphan_broker/private_files.py",
        was="        fcntl.flock(descriptor, fcntl.LOCK_EX)\n        yield",
        becomes="        yield",
        test="tests/faults/test_processes_fenced.py"
        "::test_a_holder_that_is_fenced_between_commit_and_signature",
        notices='>           await until(lambda: "signer_locked" in codes(follower))',
    ),
    Removal(
        threat="a log is lost, and its successor lies",
        file="protocol/saphan_protocol/succession.py",
        was="        if size > named.size:",
        becomes="        if False and size > named.size:",
        test="tests/integration/test_succession_nodes.py"
        "::test_a_successor_that_names_less_than_a_node_has_seen_is_refused",
        notices='>           await eventually(lambda: kh.line.state.state == "stopped", 40)',
    ),
    Removal(
        threat="a log is lost, and its successor lies",
        file="broker/saphan_broker/succession/known.py",
        was="        if (trial.size, trial.root()) != (head.size, head.root):",
        becomes="        if False and (trial.size, trial.root()) != (head.size, head.root):",
        test="tests/integration/test_succession_broker_lies.py"
        "::test_a_lie_is_refused_and_counts_for_nothing",
        notices="assert 'log_lost' == 'report_differs'",
    ),
)
