include!("../variants.rs");
