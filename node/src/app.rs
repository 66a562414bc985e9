//! A node put together from its configuration, from opened files to the last answer.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datafusion::prelude::SessionContext;
use meridian_certs::Credentials;
use meridian_federation::remote::Peers;
use meridian_federation::session;
use meridian_proto::{Description, Name};
use tokio::net::TcpListener;

use crate::audit::{Log, LogError};
use crate::catalogue::{Catalogue, Own};
use crate::config::Config;
use crate::flight;
use crate::gate;
use crate::peers::Directory;
use crate::query::{Engine, Parts, QueryError};
use crate::sources;
use crate::web::{self, Readiness};
