// go-redis v9 (RESP3 by default) and asynq against evalgate, as their READMEs show them, scripts first.
// Prints one line a check: `ok NAME`, `failed NAME: why`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

var (
	ctx     = context.Background()
	address = os.Getenv("EVALGATE_ADDRESS")
	// An evalgate with `script_check_profile: safe`.
	safeAddress = os.Getenv("EVALGATE_SAFE_ADDRESS")
	nodes       = strings.Split(os.Getenv("EVALGATE_NODES"), ",")
	incrBy      = redis.NewScript(`
		local value = redis.call("GET", KEYS[1])
		if not value then value = 0 end
		value = value + ARGV[1]
		redis.call("SET", KEYS[1], value)
		return value`)
)

const keyCount = 100

func main() {
	silenceReconnects()
	for _, protocol := range []int{3, 2} {
		open := func(address string) *redis.Client {
			return redis.NewClient(&redis.Options{Addr: address, Protocol: protocol})
		}
		name := fmt.Sprintf("go-redis RESP%d: ", protocol)
		check(name+"values of every kind", func() { values(open(address)) })
		check(name+"scripts: Run, with nodes that forget", func() { scripts(open(address)) })
		check(name+"scripts in a pipeline", func() { pipelinedScripts(open(address)) })
		check(name+"scan", func() { scan(open(address)) })
		check(name+"transactions, watch", func() { transactions(open(address)) })
		check(name+"scripts in a transaction, profile safe", func() { scriptsInTransaction(open(safeAddress)) })
		check(name+"blocking commands", func() { blocking(open(address)) })
		check(name+"pub/sub", func() { pubSub(open(address)) })
		check(name+"reconnects", func() { reconnects(open(address)) })
		check(name+"ClusterClient", func() { cluster(protocol) })
	}
	check("asynq: enqueue, delay, retry, unique, inspector", jobs)
}

func silenceReconnects() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...interface{}) {}

func check(name string, body func()) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Printf("failed %s: %s\n", name, strings.ReplaceAll(fmt.Sprint(problem), "\n", " "))
			return
		}
		fmt.Printf("ok %s\n", name)
	}()
	body()
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func no(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(got, wanted any) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		panic(fmt.Sprintf("got %v, wanted %v", got, wanted))
	}
}

func mentions(err error, text string) {
	if err == nil || !strings.Contains(err.Error(), text) {
		panic(fmt.Sprintf("got error %v, wanted one with %q", err, text))
	}
}

// The nodes forget all scripts behind evalgate's back, as after a restart or a failover.
func loseScripts() {
	for _, node := range nodes {
		client := redis.NewClient(&redis.Options{Addr: node})
		no(client.ScriptFlush(ctx).Err())
		no(client.Close())
	}
}

func values(client *redis.Client) {
	defer client.Close()
	no(client.Set(ctx, "key", "value", time.Minute).Err())
	equal(must(client.Get(ctx, "key").Result()), "value")
	_, err := client.Get(ctx, "key2").Result()
	if !errors.Is(err, redis.Nil) {
		panic(err)
	}
	no(client.HSet(ctx, "hash", "field1", "Hello", "field2", 7).Err())
	equal(must(client.HGetAll(ctx, "hash").Result()), map[string]string{"field1": "Hello", "field2": "7"})
	no(client.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "a"}, redis.Z{Score: 2, Member: "b"}).Err())
	equal(must(client.ZRangeWithScores(ctx, "zset", 0, -1).Result()), []redis.Z{{Score: 1.5, Member: "a"}, {Score: 2, Member: "b"}})
	no(client.MSet(ctx, "m1", 1, "m2", 2, "m3", 3).Err())
	equal(must(client.MGet(ctx, "m1", "m2", "m3", "m4").Result()), []any{"1", "2", "3", nil})
	equal(must(client.Do(ctx, "SET", "key3", "x", "NX").Result()), "OK")
	mentions(client.LPush(ctx, "key", "x").Err(), "WRONGTYPE")
	commands, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range keyCount {
			pipe.Set(ctx, fmt.Sprint("p:", i), i, 0)
			pipe.Get(ctx, fmt.Sprint("p:", i))
		}
		return nil
	})
	no(err)
	equal(commands[2*keyCount-1].(*redis.StringCmd).Val(), keyCount-1)
	no(client.Del(ctx, "key", "key3", "hash", "zset").Err())
}

func scripts(client *redis.Client) {
	defer client.Close()
	for i := range keyCount {
		key := fmt.Sprint("script:", i)
		no(client.Del(ctx, key).Err())
		equal(must(incrBy.Run(ctx, client, []string{key}, 2).Int()), 2)
		if i%20 == 0 {
			loseScripts()
		}
		equal(must(incrBy.Run(ctx, client, []string{key}, 3).Int()), 5)
	}
	sha := must(incrBy.Load(ctx, client).Result())
	loseScripts()
	equal(must(incrBy.Exists(ctx, client).Result()), []bool{true})
	equal(must(client.EvalSha(ctx, sha, []string{"script:1"}, 1).Int()), 6)
	mentions(client.EvalSha(ctx, strings.Repeat("f", 40), []string{"k"}).Err(), "NOSCRIPT")
	table := redis.NewScript(`return {1, "two", {KEYS[1], ARGV[1]}, false}`)
	equal(must(table.Run(ctx, client, []string{"k"}, "a").Slice()), []any{1, "two", []any{"k", "a"}, nil})
	equal(must(table.RunRO(ctx, client, []string{"k"}, "a").Slice()), []any{1, "two", []any{"k", "a"}, nil})
	mentions(redis.NewScript(`return redis.error_reply("MY own")`).Run(ctx, client, []string{"k"}).Err(), "MY own")
}

func pipelinedScripts(client *redis.Client) {
	defer client.Close()
	no(client.Del(ctx, "{ps}").Err())
	sha := must(incrBy.Load(ctx, client).Result())
	loseScripts()
	commands, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for range keyCount {
			pipe.EvalSha(ctx, sha, []string{"{ps}"}, 1)
		}
		incrBy.Eval(ctx, pipe, []string{"{ps}"}, 1)
		return nil
	})
	no(err)
	for i, command := range commands {
		equal(must(command.(*redis.Cmd).Int()), i+1)
	}
}

func scan(client *redis.Client) {
	defer client.Close()
	seen := map[string]bool{}
	for i := range keyCount {
		no(client.Set(ctx, fmt.Sprint("scan:", i), "", 0).Err())
	}
	iterator := client.Scan(ctx, 0, "scan:*", 10).Iterator()
	for iterator.Next(ctx) {
		seen[iterator.Val()] = true
	}
	no(iterator.Err())
	equal(len(seen), keyCount)
}

func transactions(client *redis.Client) {
	defer client.Close()
	var incremented *redis.IntCmd
	_, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "{tx}n", 1, 0)
		incremented = pipe.Incr(ctx, "{tx}n")
		return nil
	})
	no(err)
	equal(incremented.Val(), 2)
	change := func(tx *redis.Tx) error {
		must(tx.Get(ctx, "{tx}n").Int())
		no(client.Incr(ctx, "{tx}n").Err())
		_, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, "{tx}n", 100, 0)
			return nil
		})
		return err
	}
	if err := client.Watch(ctx, change, "{tx}n"); !errors.Is(err, redis.TxFailedErr) {
		panic(fmt.Sprint("a changed key: ", err))
	}
	equal(must(client.Get(ctx, "{tx}n").Int()), 3)
}

func scriptsInTransaction(client *redis.Client) {
	defer client.Close()
	no(client.Del(ctx, "{tx}s").Err())
	sha := must(incrBy.Load(ctx, client).Result())
	loseScripts()
	commands, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.EvalSha(ctx, sha, []string{"{tx}s"}, 4)
		pipe.EvalSha(ctx, sha, []string{"{tx}s"}, 5)
		return nil
	})
	no(err)
	equal(must(commands[1].(*redis.Cmd).Int()), 9)
}

func blocking(client *redis.Client) {
	defer client.Close()
	popped := make(chan []string, 1)
	go func() {
		value, _ := client.BLPop(ctx, 10*time.Second, "{b}queue").Result()
		popped <- value
	}()
	time.Sleep(50 * time.Millisecond)
	no(client.RPush(ctx, "{b}queue", "job").Err())
	equal(<-popped, []string{"{b}queue", "job"})
	if _, err := client.BLPop(ctx, time.Second, "{b}none").Result(); !errors.Is(err, redis.Nil) {
		panic(err)
	}
	no(client.Del(ctx, "{b}stream").Err())
	no(client.XGroupCreateMkStream(ctx, "{b}stream", "group", "0").Err())
	no(client.XAdd(ctx, &redis.XAddArgs{Stream: "{b}stream", Values: map[string]any{"name": "John"}}).Err())
	streams := must(client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "group", Consumer: "me", Streams: []string{"{b}stream", ">"}, Block: time.Second,
	}).Result())
	equal(streams[0].Messages[0].Values, map[string]any{"name": "John"})
}

func pubSub(client *redis.Client) {
	defer client.Close()
	subscription := client.Subscribe(ctx, "mychannel1")
	defer subscription.Close()
	must(subscription.Receive(ctx))
	no(subscription.PSubscribe(ctx, "my*2"))
	must(subscription.Receive(ctx))
	channel := subscription.Channel()
	no(client.Publish(ctx, "mychannel1", "hello").Err())
	equal((<-channel).Payload, "hello")
	no(client.Publish(ctx, "mychannel2", "again").Err())
	equal((<-channel).Pattern, "my*2")
	sharded := client.SSubscribe(ctx, "shard")
	defer sharded.Close()
	must(sharded.Receive(ctx))
	equal(must(client.SPublish(ctx, "shard", "x").Result()), 1)
	equal((<-sharded.Channel()).Payload, "x")
}

func reconnects(client *redis.Client) {
	defer client.Close()
	no(client.Set(ctx, "r", 1, 0).Err())
	other := redis.NewClient(&redis.Options{Addr: address})
	defer other.Close()
	equal(must(client.Conn().ClientID(ctx).Result()) > 0, true)
	no(other.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	equal(must(incrBy.Run(ctx, client, []string{"r"}, 1).Int()), 2)
}

func cluster(protocol int) {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{address}, Protocol: protocol})
	defer client.Close()
	var keys []string
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range keyCount {
			keys = append(keys, fmt.Sprint("cluster:", i))
			pipe.Set(ctx, keys[i], i, 0)
		}
		return nil
	})
	no(err)
	loseScripts()
	for i, key := range keys {
		equal(must(incrBy.Run(ctx, client, []string{key}, 1).Int()), i+1)
	}
	masters := int32(0)
	no(client.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		atomic.AddInt32(&masters, 1)
		return master.Ping(ctx).Err()
	}))
	equal(masters, 1)
	_, err = client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Incr(ctx, "{c}tx")
		return nil
	})
	no(err)
	subscription := client.SSubscribe(ctx, "cluster-shard")
	defer subscription.Close()
	must(subscription.Receive(ctx))
	no(client.SPublish(ctx, "cluster-shard", "x").Err())
	equal((<-subscription.Channel()).Payload, "x")
}

func jobs() {
	options := asynq.RedisClientOpt{Addr: address}
	client := asynq.NewClient(options)
	defer client.Close()
	done := make(chan string, 100)
	failures := int32(2)
	mux := asynq.NewServeMux()
	mux.HandleFunc("email:deliver", func(_ context.Context, task *asynq.Task) error {
		done <- string(task.Payload())
		return nil
	})
	mux.HandleFunc("flaky", func(context.Context, *asynq.Task) error {
		if atomic.AddInt32(&failures, -1) >= 0 {
			return errors.New("again")
		}
		done <- "flaky"
		return nil
	})
	server := asynq.NewServer(options, asynq.Config{
		Concurrency:              10,
		Queues:                   map[string]int{"critical": 6, "default": 3},
		LogLevel:                 asynq.FatalLevel,
		DelayedTaskCheckInterval: 100 * time.Millisecond,
		TaskCheckInterval:        100 * time.Millisecond,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return 100 * time.Millisecond },
	})
	no(server.Start(mux))
	defer server.Shutdown()
	enqueue := func(kind, payload string, options ...asynq.Option) {
		must(client.Enqueue(asynq.NewTask(kind, []byte(payload)), options...))
	}
	var wanted []string
	for i := range 20 {
		wanted = append(wanted, fmt.Sprint("job ", i))
		enqueue("email:deliver", wanted[i], asynq.Queue([]string{"critical", "default"}[i%2]))
		if i == 10 {
			loseScripts()
		}
	}
	enqueue("email:deliver", "later", asynq.ProcessIn(300*time.Millisecond))
	enqueue("flaky", "", asynq.MaxRetry(5))
	enqueue("email:deliver", "once", asynq.ProcessIn(time.Hour), asynq.Unique(time.Hour))
	_, err := client.Enqueue(asynq.NewTask("email:deliver", []byte("once")), asynq.ProcessIn(time.Hour), asynq.Unique(time.Hour))
	if !errors.Is(err, asynq.ErrDuplicateTask) {
		panic(fmt.Sprint("a second task: ", err))
	}
	wanted = append(wanted, "later", "flaky")
	var got []string
	for range wanted {
		select {
		case payload := <-done:
			got = append(got, payload)
		case <-time.After(20 * time.Second):
			panic(fmt.Sprint("only these jobs were done: ", got))
		}
	}
	slices.Sort(got)
	slices.Sort(wanted)
	equal(got, wanted)
	inspector := asynq.NewInspector(options)
	defer inspector.Close()
	info := must(inspector.GetQueueInfo("default"))
	equal(info.Scheduled, 1)
	equal(must(inspector.DeleteAllScheduledTasks("default")), 1)
}
