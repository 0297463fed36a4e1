drop trigger if exists manystore_before on "user_profiles"
--;
drop trigger if exists manystore_after on "user_profiles"
--;
drop trigger if exists manystore_part on "user_profiles"
--;
drop trigger if exists manystore_no_truncate on "user_profiles"
--;
drop trigger if exists manystore_before on "user_badges"
--;
drop trigger if exists manystore_after on "user_badges"
--;
drop trigger if exists manystore_part on "user_badges"
--;
drop trigger if exists manystore_no_truncate on "user_badges"
--;
drop index if exists "user_profiles_masked"
--;
drop function if exists manystore."user_profiles_before"()
--;
drop function if exists manystore."user_profiles_after"()
--;
drop function if exists manystore."user_profiles_part_earnedBadges"()
--;
drop trigger if exists manystore_before on "accounts"
--;
drop trigger if exists manystore_after on "accounts"
--;
drop trigger if exists manystore_part on "accounts"
--;
drop trigger if exists manystore_no_truncate on "accounts"
--;
drop trigger if exists manystore_before on "subscriptions"
--;
drop trigger if exists manystore_after on "subscriptions"
--;
drop trigger if exists manystore_part on "subscriptions"
--;
drop trigger if exists manystore_no_truncate on "subscriptions"
--;
drop trigger if exists manystore_before on "completed_scenarios"
--;
drop trigger if exists manystore_after on "completed_scenarios"
--;
drop trigger if exists manystore_part on "completed_scenarios"
--;
drop trigger if exists manystore_no_truncate on "completed_scenarios"
--;
drop index if exists "accounts_masked"
--;
drop function if exists manystore."accounts_before"()
--;
drop function if exists manystore."accounts_after"()
--;
drop function if exists manystore."accounts_part_subscription"()
--;
drop function if exists manystore."accounts_part_completedScenarioIds"()
