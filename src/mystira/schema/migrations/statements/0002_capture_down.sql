drop trigger if exists manystore_before on "purchases"
--;
drop trigger if exists manystore_after on "purchases"
--;
drop trigger if exists manystore_no_truncate on "purchases"
--;
drop index if exists "purchases_masked"
--;
drop function if exists manystore."purchases_before"()
--;
drop function if exists manystore."purchases_after"()
--;
drop trigger if exists manystore_before on "deletion_requests"
--;
drop trigger if exists manystore_after on "deletion_requests"
--;
drop trigger if exists manystore_no_truncate on "deletion_requests"
--;
drop index if exists "deletion_requests_masked"
--;
drop function if exists manystore."deletion_requests_before"()
--;
drop function if exists manystore."deletion_requests_after"()
--;
drop trigger if exists manystore_before on "parental_consents"
--;
drop trigger if exists manystore_after on "parental_consents"
--;
drop trigger if exists manystore_no_truncate on "parental_consents"
--;
drop index if exists "parental_consents_masked"
--;
drop function if exists manystore."parental_consents_before"()
--;
drop function if exists manystore."parental_consents_after"()
--;
drop trigger if exists manystore_before on "sign_ins"
--;
drop trigger if exists manystore_after on "sign_ins"
--;
drop trigger if exists manystore_no_truncate on "sign_ins"
--;
drop index if exists "sign_ins_masked"
--;
drop function if exists manystore."sign_ins_before"()
--;
drop function if exists manystore."sign_ins_after"()
--;
drop trigger if exists manystore_before on "pending_signups"
--;
drop trigger if exists manystore_after on "pending_signups"
--;
drop trigger if exists manystore_no_truncate on "pending_signups"
--;
drop index if exists "pending_signups_masked"
--;
drop function if exists manystore."pending_signups_before"()
--;
drop function if exists manystore."pending_signups_after"()
--;
drop trigger if exists manystore_before on "player_scenario_scores"
--;
drop trigger if exists manystore_after on "player_scenario_scores"
--;
drop trigger if exists manystore_no_truncate on "player_scenario_scores"
--;
drop index if exists "player_scenario_scores_masked"
--;
drop function if exists manystore."player_scenario_scores_before"()
--;
drop function if exists manystore."player_scenario_scores_after"()
--;
drop trigger if exists manystore_before on "game_sessions"
--;
drop trigger if exists manystore_after on "game_sessions"
--;
drop trigger if exists manystore_no_truncate on "game_sessions"
--;
drop index if exists "game_sessions_masked"
--;
drop function if exists manystore."game_sessions_before"()
--;
drop function if exists manystore."game_sessions_after"()
