//! redis-rs against evalgate, as its documentation shows it, scripts first.
//! Prints one line a check: `ok NAME`, `failed NAME: why`.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::{
    AsyncCommands, Client, Commands, Connection, ErrorKind, ProtocolVersion, RedisResult, Script,
    ServerErrorKind,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const KEY_COUNT: i64 = 100;
const ADD: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1])";

struct Gate {
    protocol: ProtocolVersion,
}

impl Gate {
    fn url(&self, variable: &str) -> String {
        let address = std::env::var(variable).expect("addresses are in the environment");
        let query = match self.protocol {
            ProtocolVersion::RESP2 => "",
            _ => "?protocol=resp3",
        };
        format!("redis://{address}/{query}")
    }

    fn client(&self) -> RedisResult<Client> {
        Client::open(self.url("EVALGATE_ADDRESS"))
    }

    /// A client of an evalgate with `script_check_profile: safe`.
    fn safe_client(&self) -> RedisResult<Client> {
        Client::open(self.url("EVALGATE_SAFE_ADDRESS"))
    }

    fn cluster(&self) -> RedisResult<ClusterClient> {
        ClusterClient::builder(vec![self.url("EVALGATE_ADDRESS")])
            .use_protocol(self.protocol)
            .build()
    }
}

fn main() {
    for (version, protocol) in [
        ("RESP2", ProtocolVersion::RESP2),
        ("RESP3", ProtocolVersion::RESP3),
    ] {
        let gate = Gate { protocol };
        let named = |title: &str| format!("redis-rs {version}: {title}");
        check(&named("values of every kind"), values(&gate));
        check(&named("Script, with nodes that forget"), scripts(&gate));
        check(&named("scripts in a pipeline"), pipelined_scripts(&gate));
        check(&named("transactions, watch"), transactions(&gate));
        check(
            &named("scripts in a transaction, profile safe"),
            scripts_in_transaction(&gate),
        );
        check(&named("blocking commands"), blocking(&gate));
        check(&named("pub/sub"), pub_sub(&gate));
        check(&named("ClusterClient"), cluster(&gate));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        check(
            &named("async: multiplexed, scripts"),
            runtime.block_on(multiplexed(&gate)),
        );
        check(
            &named("async: ConnectionManager reconnects"),
            runtime.block_on(reconnects(&gate)),
        );
        check(
            &named("async: pub/sub"),
            runtime.block_on(async_pub_sub(&gate)),
        );
        check(
            &named("async: ClusterClient"),
            runtime.block_on(async_cluster(&gate)),
        );
    }
}

fn check(name: &str, outcome: Outcome) {
    match outcome {
        Ok(()) => println!("ok {name}"),
        Err(error) => println!("failed {name}: {}", error.to_string().replace('\n', " ")),
    }
}

fn equal<T: PartialEq<U> + Debug, U: Debug>(got: T, wanted: U) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(format!("got {got:?}, wanted {wanted:?}").into())
}

/// The nodes forget all scripts behind evalgate's back, as after a restart or a failover.
fn lose_scripts() -> Outcome {
    let nodes = std::env::var("EVALGATE_NODES")?;
    for node in nodes.split(',') {
        let mut connection = Client::open(format!("redis://{node}/"))?.get_connection()?;
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection)?;
    }
    Ok(())
}

fn kill_clients() -> Outcome {
    let mut connection = Gate {
        protocol: ProtocolVersion::RESP2,
    }
    .client()?
    .get_connection()?;
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .exec(&mut connection)?;
    Ok(())
}

fn values(gate: &Gate) -> Outcome {
    let mut connection = gate.client()?.get_connection()?;
    connection.set::<_, _, ()>("rs:key", 42)?;
    equal(connection.get::<_, i64>("rs:key")?, 42)?;
    equal(connection.get::<_, Option<i64>>("rs:none")?, None::<i64>)?;
    connection.hset_multiple::<_, _, _, ()>("rs:hash", &[("a", "1"), ("b", "2")])?;
    let hash: HashMap<String, i64> = connection.hgetall("rs:hash")?;
    equal(
        hash,
        HashMap::from([("a".to_string(), 1), ("b".to_string(), 2)]),
    )?;
    connection.zadd::<_, _, _, ()>("rs:zset", "one", 1.5)?;
    equal(
        connection.zrange_withscores::<_, Vec<(String, f64)>>("rs:zset", 0, -1)?,
        vec![("one".to_string(), 1.5)],
    )?;
    let pairs: Vec<(String, i64)> = (0..KEY_COUNT)
        .map(|i| (format!("rs:many:{i}"), i))
        .collect();
    connection.mset::<_, _, ()>(&pairs)?;
    let keys: HashSet<String> = connection
        .scan_match::<_, String>("rs:many:*")?
        .collect::<RedisResult<_>>()?;
    equal(keys.len() as i64, KEY_COUNT)?;
    let keys: Vec<String> = keys.into_iter().collect();
    equal(connection.del::<_, i64>(keys)?, KEY_COUNT)?;
    let refused: RedisResult<i64> = connection.lpush("rs:key", "x");
    equal(
        refused.map_err(|error| error.code().map(str::to_string)),
        Err(Some("WRONGTYPE".to_string())),
    )
}

fn scripts(gate: &Gate) -> Outcome {
    let mut connection = gate.client()?.get_connection()?;
    let script = Script::new(ADD);
    for i in 0..KEY_COUNT {
        let key = format!("rs:script:{i}");
        connection.del::<_, ()>(&key)?;
        equal(script.key(&key).arg(2).invoke::<i64>(&mut connection)?, 2)?;
        if i % 20 == 0 {
            lose_scripts()?;
        }
        equal(script.key(&key).arg(3).invoke::<i64>(&mut connection)?, 5)?;
    }
    let several: (String, i64, Vec<String>) =
        Script::new("return {KEYS[1], 7, {ARGV[1], ARGV[2]}}")
            .key("k")
            .arg("a")
            .arg("b")
            .invoke(&mut connection)?;
    equal(
        several,
        ("k".to_string(), 7, vec!["a".to_string(), "b".to_string()]),
    )?;
    let unknown: RedisResult<i64> = redis::cmd("EVALSHA")
        .arg("f".repeat(40))
        .arg(1)
        .arg("k")
        .query(&mut connection);
    equal(
        unknown.map_err(|error| error.kind()),
        Err(ErrorKind::Server(ServerErrorKind::NoScript)),
    )
}

fn pipelined_scripts(gate: &Gate) -> Outcome {
    let mut connection = gate.client()?.get_connection()?;
    let script = Script::new(ADD);
    script.prepare_invoke().load(&mut connection)?;
    connection.del::<_, ()>("rs:pipe")?;
    lose_scripts()?;
    let mut pipe = redis::pipe();
    for _ in 0..KEY_COUNT {
        pipe.invoke_script(script.key("rs:pipe").arg(1));
    }
    let sums: Vec<i64> = pipe.query(&mut connection)?;
    equal(sums, (1..=KEY_COUNT).collect::<Vec<i64>>())
}

fn transactions(gate: &Gate) -> Outcome {
    let mut connection = gate.client()?.get_connection()?;
    let mut other = gate.client()?.get_connection()?;
    let (sum,): (i64,) = redis::pipe()
        .atomic()
        .set("{rs}n", 1)
        .ignore()
        .incr("{rs}n", 1)
        .query(&mut connection)?;
    equal(sum, 2)?;
    let mut attempts = 0;
    let (last,): (i64,) = redis::transaction(
        &mut connection,
        &["{rs}n"],
        |connection: &mut Connection, pipe| {
            attempts += 1;
            let value: i64 = connection.get("{rs}n")?;
            if attempts == 1 {
                other.incr::<_, _, ()>("{rs}n", 1)?;
            }
            pipe.set("{rs}n", value * 10)
                .ignore()
                .get("{rs}n")
                .query(connection)
        },
    )?;
    equal((attempts, last), (2, 30))
}

fn scripts_in_transaction(gate: &Gate) -> Outcome {
    let mut connection = gate.safe_client()?.get_connection()?;
    let script = Script::new(ADD);
    script.prepare_invoke().load(&mut connection)?;
    connection.del::<_, ()>("{rs}s")?;
    lose_scripts()?;
    let mut pipe = redis::pipe();
    pipe.atomic()
        .invoke_script(script.key("{rs}s").arg(4))
        .invoke_script(script.key("{rs}s").arg(5));
    equal(pipe.query::<Vec<i64>>(&mut connection)?, vec![4, 9])
}

fn blocking(gate: &Gate) -> Outcome {
    let mut connection = gate.client()?.get_connection()?;
    let mut producer = gate.client()?.get_connection()?;
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        producer.rpush::<_, _, i64>("{rs}queue", "job")
    });
    equal(
        connection.blpop::<_, (String, String)>("{rs}queue", 10.0)?,
        ("{rs}queue".to_string(), "job".to_string()),
    )?;
    later.join().expect("the producer ends")?;
    equal(
        connection.blpop::<_, Option<(String, String)>>("{rs}none", 0.05)?,
        None::<(String, String)>,
    )
}

fn pub_sub(gate: &Gate) -> Outcome {
    let mut connection = Gate {
        protocol: ProtocolVersion::RESP2,
    }
    .client()?
    .get_connection()?;
    let mut publisher = gate.client()?.get_connection()?;
    let mut subscriber = connection.as_pubsub();
    subscriber.set_read_timeout(Some(Duration::from_secs(10)))?;
    subscriber.subscribe("rs-first")?;
    subscriber.psubscribe("rs-s*")?;
    publisher.publish::<_, _, ()>("rs-first", "1")?;
    equal(
        subscriber.get_message()?.get_payload::<String>()?,
        "1".to_string(),
    )?;
    publisher.publish::<_, _, ()>("rs-second", "2")?;
    let message = subscriber.get_message()?;
    equal(
        (
            message.get_pattern::<String>()?,
            message.get_payload::<String>()?,
        ),
        ("rs-s*".to_string(), "2".to_string()),
    )
}

fn cluster(gate: &Gate) -> Outcome {
    let mut connection = gate.cluster()?.get_connection()?;
    let script = Script::new(ADD);
    for i in 0..KEY_COUNT {
        connection.set::<_, _, ()>(format!("rs:cluster:{i}"), i)?;
    }
    lose_scripts()?;
    for i in 0..KEY_COUNT {
        equal(
            script
                .key(format!("rs:cluster:{i}"))
                .arg(1)
                .invoke::<i64>(&mut connection)?,
            i + 1,
        )?;
    }
    Ok(())
}

async fn multiplexed(gate: &Gate) -> Outcome {
    let connection = gate.client()?.get_multiplexed_async_connection().await?;
    let script = Script::new(ADD);
    let add = |i: i64, by: i64| {
        let mut connection: MultiplexedConnection = connection.clone();
        let script = &script;
        async move {
            script
                .key(format!("rs:async:{i}"))
                .arg(by)
                .invoke_async::<i64>(&mut connection)
                .await
        }
    };
    let mut connection = connection.clone();
    let keys: Vec<String> = (0..KEY_COUNT).map(|i| format!("rs:async:{i}")).collect();
    connection.del::<_, ()>(keys).await?;
    futures_util::future::try_join_all((0..KEY_COUNT).map(|i| add(i, 2))).await?;
    lose_scripts()?;
    let sums = futures_util::future::try_join_all((0..KEY_COUNT).map(|i| add(i, 3))).await?;
    equal(sums, vec![5; KEY_COUNT as usize])
}

async fn reconnects(gate: &Gate) -> Outcome {
    let mut manager = ConnectionManager::new(gate.client()?).await?;
    manager.set::<_, _, ()>("rs:r", 1).await?;
    kill_clients()?;
    // A manager reports the loss once, and connects anew.
    let script = Script::new(ADD);
    for _ in 0..50 {
        let sum: RedisResult<i64> = script.key("rs:r").arg(1).invoke_async(&mut manager).await;
        if let Ok(sum) = sum {
            return equal(sum, 2);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("it does not come back".into())
}

async fn async_pub_sub(gate: &Gate) -> Outcome {
    let client = gate.client()?;
    let mut publisher = client.get_multiplexed_async_connection().await?;
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.subscribe("rs-async").await?;
    publisher.publish::<_, _, ()>("rs-async", "hello").await?;
    let message =
        tokio::time::timeout(Duration::from_secs(10), subscriber.on_message().next()).await?;
    let message = message.ok_or("the stream ended")?;
    equal(message.get_payload::<String>()?, "hello".to_string())
}

async fn async_cluster(gate: &Gate) -> Outcome {
    let mut connection = gate.cluster()?.get_async_connection().await?;
    let script = Script::new(ADD);
    for i in 0..KEY_COUNT {
        let key = format!("rs:acluster:{i}");
        connection.set::<_, _, ()>(&key, i).await?;
        if i % 20 == 0 {
            lose_scripts()?;
        }
        equal(
            script
                .key(&key)
                .arg(1)
                .invoke_async::<i64>(&mut connection)
                .await?,
            i + 1,
        )?;
    }
    Ok(())
}
