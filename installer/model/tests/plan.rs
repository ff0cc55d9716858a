//! Seed + catalogue + facts to a plan.

mod support;

use support::{LAN_ONLY, catalogue, facts, plan, print};

#[test]
fn a_box_on_the_lan() {
    let plan = plan(LAN_ONLY, &catalogue(), &facts());
    insta::assert_snapshot!("lan-rendered", print(&plan));
    insta::assert_snapshot!("lan-plan", serde_json::to_string_pretty(&plan).unwrap());
}
