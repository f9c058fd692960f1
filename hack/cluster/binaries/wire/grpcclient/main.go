// Command grpcclient asks a model server all that a client of grpc-go may ask, and prints each
// answer as a line of JSON: what was asked, the status, and the message or how many came.
//
// Arguments: host:port, a file with a PredictRequest that is quick, and one with a slow one.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
)

const (
	predict  = "/tensorflow.serving.PredictionService/Predict"
	patience = 60 * time.Second
	atOnce   = 100
)

// raw sends and takes messages as they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

type line struct {
	Asked   string     `json:"asked"`
	Code    codes.Code `json:"code"`
	Details string     `json:"details"`
	Answer  string     `json:"answer"`
}

func main() {
	target, quick, slow := os.Args[1], read(os.Args[2]), read(os.Args[3])
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	defer connection.Close()
	client := client{connection}
	client.unary("predict", predict, quick)
	client.unary("gzip", predict, quick, grpc.UseCompressor(gzip.Name))
	client.unary("no message", predict, []byte("\xff"))
	client.unary("unknown", "/tensorflow.serving.PredictionService/Guess", quick)
	client.many(quick)
	client.deadline(slow)
	client.cancel(slow)
	client.watch()
	client.reflect()
	client.unary("after all", predict, quick)
}

type client struct{ connection *grpc.ClientConn }

func (c client) ask(ctx context.Context, method string, message []byte, options ...grpc.CallOption) ([]byte, error) {
	var answer []byte
	err := c.connection.Invoke(ctx, method, &message, &answer, append(options, grpc.ForceCodecV2(raw{}))...)
	return answer, err
}

func (c client) unary(asked, method string, message []byte, options ...grpc.CallOption) {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	answer, err := c.ask(ctx, method, message, options...)
	print(asked, err, hex.EncodeToString(answer))
}

// many asks the same so often at once; they must all be told the same.
func (c client) many(message []byte) {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	var all sync.WaitGroup
	answers, errs := make([][]byte, atOnce), make([]error, atOnce)
	for i := range atOnce {
		all.Go(func() { answers[i], errs[i] = c.ask(ctx, predict, message) })
	}
	all.Wait()
	for i := range atOnce {
		if errs[i] != nil || string(answers[i]) != string(answers[0]) {
			print("many", errs[i], hex.EncodeToString(answers[i]))
			return
		}
	}
	print("many", nil, hex.EncodeToString(answers[0]))
}

func (c client) deadline(message []byte) {
	ctx, end := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer end()
	_, err := c.ask(ctx, predict, message)
	print("deadline", err, "")
}

func (c client) cancel(message []byte) {
	ctx, end := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, end)
	_, err := c.ask(ctx, predict, message)
	print("cancel", err, "")
}

// watch is told of one state, and leaves.
func (c client) watch() {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	stream, err := health.NewHealthClient(c.connection).Watch(ctx, &health.HealthCheckRequest{})
	if err != nil {
		print("watch", err, "")
		return
	}
	answer, err := stream.Recv()
	print("watch", err, answer.GetStatus().String())
	end()
	_, err = stream.Recv()
	print("watch, left", err, "")
}

// reflect asks twice in one stream, and ends it.
func (c client) reflect() {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	stream, err := reflection.NewServerReflectionClient(c.connection).ServerReflectionInfo(ctx)
	for range 2 {
		if err == nil {
			err = stream.Send(&reflection.ServerReflectionRequest{
				MessageRequest: &reflection.ServerReflectionRequest_ListServices{},
			})
		}
		if err != nil {
			break
		}
		var answer *reflection.ServerReflectionResponse
		answer, err = stream.Recv()
		for _, service := range answer.GetListServicesResponse().GetService() {
			if service.Name == "tensorflow.serving.PredictionService" {
				print("reflect", err, service.Name)
			}
		}
	}
	if err != nil {
		print("reflect", err, "")
		return
	}
	_ = stream.CloseSend()
	if _, err = stream.Recv(); err != nil && err.Error() == "EOF" {
		err = nil
	}
	print("reflect, ended", err, "")
}

func print(asked string, err error, answer string) {
	told := line{Asked: asked, Code: codes.OK, Answer: answer}
	if err != nil {
		told.Code, told.Details = status.Code(err), status.Convert(err).Message()
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		panic(err)
	}
}

func read(file string) []byte {
	data, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return data
}
